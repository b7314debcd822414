// Root mean square normalisation (Zhang, Sennrich 2019): y = x / √(mean of x² + eps) · weight along the last
// dimension. weight has its size; there is no bias. See layer_norm/norm.h.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one input (N, …, F).
struct RmsNorm {
  double eps = 1e-6;
};
OpPtr rms_norm(RmsNorm = {});

}  // namespace loupe
