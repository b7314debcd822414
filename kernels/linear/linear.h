// Fully connected layer: y = x · weightᵀ + bias.
//
//   x (N, F)   weight (O, F)   bias (O)   y (N, O)
//
// vjp_input: gx = gy · weight; vjp_weight: gyᵀ · x; vjp_bias: sums of gy over the batch. On the CPU it is a
// 1×1 convolution whose pixels are the images of the batch, so it runs in the same micro-kernel
// (conv2d/direct/tap_convolution.h).
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: linear({.out_features = 1000}). Takes (N, F); maps go through flatten first.
struct Linear {
  int64_t out_features;
  bool bias = true;
};
OpPtr linear(Linear);

struct LinearSizes {
  int64_t n, in, out;
};

namespace ref {
// Planar arrays, T = float or double, sums in T.

/// `bias` may be null.
template <typename T>
void linear_forward(LinearSizes, const T* x, const T* weight, const T* bias, T* y);
template <typename T>
void linear_vjp_input(LinearSizes, const T* gy, const T* weight, T* gx);
template <typename T>
void linear_vjp_weight(LinearSizes, const T* x, const T* gy, T* gw);
template <typename T>
void linear_vjp_bias(LinearSizes, const T* gy, T* gb);
}  // namespace ref

}  // namespace loupe
