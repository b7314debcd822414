// For the suites of the average pools.
#pragma once
#include <numeric>

#include "kernels/avg_pool2d/avg_pool2d.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

/// A number that every divisor of the case divides, so that means of its multiples are exact.
inline int64_t mean_scale(const OpCase& c) {
  const Shape& x = c.inputs[0];
  const MeanWindows windows = static_cast<const MeanOp&>(*c.op).windows({x[2], x[3]});
  int64_t scale = 1;
  for (const MeanSpan& row : windows.rows)
    for (const MeanSpan& column : windows.columns) scale = std::lcm(scale, row.count * column.count);
  return scale;
}

}  // namespace loupe::test
