// Group normalisation (Wu, He 2018): the channels of an image (N, C, …) are cut into `groups` equal groups of
// neighbours; each group of an image is normalised with its own mean and variance. weight and bias (C). See
// layer_norm/norm.h.
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one input of rank 2 or more.
struct GroupNorm {
  int64_t groups;
  double eps = 1e-5;
};
OpPtr group_norm(GroupNorm);

}  // namespace loupe
