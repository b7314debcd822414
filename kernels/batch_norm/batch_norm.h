// Batch normalisation at inference (Ioffe & Szegedy 2015): the statistics are constants, so it is one line a
// channel,
//
//   y = (x − running_mean) · scale + bias,   scale = weight / √(running_var + eps)
//   gx = gy · scale,   g_bias = Σ gy,   g_weight = Σ gy · (x − running_mean) / √(running_var + eps)
//
// with sums over images and pixels. After a convolution a plan has no need of it: see fold_batch_norm.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/common/op.h"
#include "kernels/reduce/parts.h"

namespace loupe {

struct BatchNorm {
  double eps = 1e-5;  // 0 or more
};

/// Graph node: (N, C, H, W) or (N, C) → the same shape, parameters "weight", "bias", "running_mean",
/// "running_var", each (C). UsageError from shape() for an input of another rank, an empty one, or a negative
/// eps.
OpPtr batch_norm(BatchNorm = {});
/// The eps of an op that batch_norm() made; throws Error for another op.
double batch_norm_eps(const Op&);

/// Weight and bias of a convolution (or linear op) that also does the batch norm after it.
template <typename T>
struct FoldedBatchNorm {
  std::vector<T> weight, bias;
};

/// For output channel o, with scale[o] = gamma[o] / √(variance[o] + eps):
///
///   weight'[…, o, …] = weight[…, o, …] · scale[o]
///   bias'[o] = (bias[o] − mean[o]) · scale[o] + beta[o]
///
/// computed in double and rounded once. `weight` is planar, of `weight_shape`, whose dimension `dim` counts
/// output channels; `bias` may be empty (zero). Throws Error if the lengths do not fit together.
template <typename T>
FoldedBatchNorm<T> fold_batch_norm(double eps, std::span<const T> gamma, std::span<const T> beta,
                                   std::span<const T> mean, std::span<const T> variance,
                                   std::span<const T> weight, const Shape& weight_shape, int dim,
                                   std::span<const T> bias);

/// A batch norm's parameters, (c) each; cpu: padded to a multiple of 16, the variance with ones, the rest
/// with zeros.
template <typename T>
struct BatchNormParameters {
  double eps;
  const T *weight, *bias, *mean, *variance;
};

namespace ref {
/// x, y, gy, gx: (n, c, pixels); y may be x, gx may be gy. g_weight, g_bias: (c).
template <typename T>
void batch_norm(const BatchNormParameters<T>& parameters, const T* x, T* y, int64_t n, int64_t c,
                int64_t pixels);
template <typename T>
void batch_norm_vjp_input(const BatchNormParameters<T>& parameters, const T* gy, T* gx, int64_t n, int64_t c,
                          int64_t pixels);
template <typename T>
void batch_norm_vjp_weight(const BatchNormParameters<T>& parameters, const T* x, const T* gy, T* g_weight,
                           int64_t n, int64_t c, int64_t pixels);
template <typename T>
void batch_norm_vjp_bias(const T* gy, T* g_bias, int64_t n, int64_t c, int64_t pixels);
}  // namespace ref

namespace cpu {
/// x, y, gy, gx: (n, ⌈c/16⌉, pixels, 16); y may be x, gx may be gy. g_weight, g_bias: (c), planar.
void batch_norm(const BatchNormParameters<float>& parameters, const float* x, float* y, int64_t n, int64_t c,
                int64_t pixels);
void batch_norm_vjp_input(const BatchNormParameters<float>& parameters, const float* gy, float* gx, int64_t n,
                          int64_t c, int64_t pixels);
void batch_norm_vjp_weight(const BatchNormParameters<float>& parameters, const float* x, const float* gy,
                           float* g_weight, int64_t n, int64_t c, int64_t pixels);
void batch_norm_vjp_bias(const float* gy, float* g_bias, int64_t n, int64_t c, int64_t pixels);
}  // namespace cpu

namespace device {  // batch_norm.cu; layouts as ref's
inline constexpr DeviceFunction<void(BatchNormParameters<float> parameters, const float* x, float* y,
                                     int64_t n, int64_t c, int64_t pixels)>
    batch_norm{"batch_norm"};
inline constexpr DeviceFunction<void(BatchNormParameters<float> parameters, const float* gy, float* gx,
                                     int64_t n, int64_t c, int64_t pixels)>
    batch_norm_vjp_input{"batch_norm_vjp_input"};
/// scratch: parts.scratch_floats(c) floats. The vjp to the bias is channel_sums.
inline constexpr DeviceFunction<void(Parts, BatchNormParameters<float> parameters, const float* x,
                                     const float* gy, float* g_weight, int64_t c, float* scratch)>
    batch_norm_vjp_weight{"batch_norm_vjp_weight"};
}  // namespace device

}  // namespace loupe
