// Fully connected layer: y = x · weightᵀ + bias.
//
//   x (N, …, F)   weight (O, F)   bias (O)   y (N, …, O)
//
// vjp_input: gx = gy · weight; vjp_weight: gyᵀ · x; vjp_bias: sums of gy over all rows. Of vectors (N, F) it
// is a 1×1 convolution whose pixels are the images of the batch, and runs in the same micro-kernel
// (conv2d/direct/tap_convolution.h). Of a higher rank it is one matrix product over all rows
// (matmul/product.h), on planar arrays.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: linear({.out_features = 1000}). Takes (N, …, F); maps go through flatten first.
struct Linear {
  int64_t out_features;
  bool bias = true;
};
OpPtr linear(Linear);

struct LinearSizes {
  int64_t n, in, out;
};

/// How a linear layer of rank 3 or more, x of that shape, is computed on cpu, cuda and sim (linear_rows.cpp).
/// `call` is the table's.
Call linear_rows_call(Backend, Direction, const Shape& x, int64_t out_features, bool bias,
                      const KernelOptions&, Call call);

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
