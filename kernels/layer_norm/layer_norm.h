// Layer normalisation (Ba, Kiros, Hinton 2016): every element of x is normalised with the mean and the
// variance of its place, then scaled and shifted (norm.h has the formulas).
//
//   axes       the last `axes` dimensions of x (N, …) are a place; weight and bias have their shape,
//              as torch.nn.LayerNorm
//   channels   the channels of each pixel of maps (N, C, H, W) are; weight and bias (C), as torchvision's
//              LayerNorm2d. On the CPU these maps are blocked
#pragma once
#include "kernels/common/op.h"

namespace loupe {

/// Graph node: layer_norm({.eps = 1e-6}). One input; parameters `weight` and `bias` with `affine`.
struct LayerNorm {
  int axes = 1;
  bool channels = false;  // then `axes` does not count
  double eps = 1e-5;
  bool affine = true;
};
OpPtr layer_norm(LayerNorm = {});

}  // namespace loupe
