// slice: some positions of one axis,
//
//   y[…, k, …] = x[…, begin + k·step, …]   for begin + k·step < end
//
// Its vjp puts dL/dy back in its places and zero everywhere else.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Positions begin, begin + step … before end. Negative begin, end and axis count from the end (end = −1
/// leaves the last position out); an end beyond the axis means all that is there.
struct Slice {
  int axis = 1;
  int64_t begin = 0, end = INT64_MAX, step = 1;
};

/// Graph node: one input of any rank, elements of any type. Throws UsageError for a step below 1, and (as
/// shape()) where nothing would be left.
OpPtr slice(Slice attributes);

}  // namespace loupe
