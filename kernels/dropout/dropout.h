// dropout at inference: the identity. It stands in a graph because networks name it, and costs nothing: it is
// a view.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one input of any shape. `p`, the probability that training drops an element, in [0, 1]; throws
/// UsageError otherwise.
OpPtr dropout(double p);

}  // namespace loupe
