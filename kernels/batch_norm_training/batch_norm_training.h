// Batch normalisation with the batch's own statistics, as in training (Ioffe & Szegedy 2015):
//
//   mean = Σ x / m,   variance = Σ (x − mean)² / m,   x̂ = (x − mean) / √(variance + eps)
//   y = x̂ · weight + bias
//   g_bias = Σ gy,   g_weight = Σ gy · x̂
//   gx = weight / √(variance + eps) · (gy − g_bias / m − x̂ · g_weight / m)
//
// with sums over the m = N·H·W pixels of a channel. The vjp to the input goes through the statistics too.
// Where m is 1, y is the bias and gx is zero.
//
// Here the images of a batch depend on each other, as in no other op. The order of every sum follows from the
// shape of the batch alone.
#pragma once
#include "kernels/batch_norm/batch_norm.h"

namespace loupe {

/// Graph node: takes the place of a batch_norm, with the same shapes and parameters; "running_mean" and
/// "running_var" are not read. The tape's record, f32 (2, C), holds mean and variance. This variance is the
/// biased one: for the running one PyTorch takes m / (m − 1) of it.
OpPtr batch_norm_training(BatchNorm = {});

// The kernels that batch_norm lacks. With the batch's mean and variance in the place of the running ones,
// the others are batch_norm's own.

namespace ref {
/// x: (n, c, pixels); mean, variance: (c).
template <typename T>
void batch_norm_statistics(const T* x, T* mean, T* variance, int64_t n, int64_t c, int64_t pixels);
/// x, gy, gx: (n, c, pixels); gx may be gy. mean and variance among the parameters are the batch's.
template <typename T>
void batch_norm_training_vjp_input(const BatchNormParameters<T>& parameters, const T* x, const T* gy, T* gx,
                                   int64_t n, int64_t c, int64_t pixels);
}  // namespace ref

namespace cpu {
/// x, gy, gx: (n, ⌈c/16⌉, pixels, 16); gx may be gy. mean, variance: padded to a multiple of 16, the variance
/// with ones. `scratch`: batch_norm_scratch() floats.
int64_t batch_norm_scratch(int64_t n, int64_t c, int64_t pixels);
void batch_norm_statistics(const float* x, float* mean, float* variance, int64_t n, int64_t c, int64_t pixels,
                           float* scratch);
void batch_norm_training_vjp_input(const BatchNormParameters<float>& parameters, const float* x,
                                   const float* gy, float* gx, int64_t n, int64_t c, int64_t pixels,
                                   float* scratch);
}  // namespace cpu

namespace device {  // batch_norm_training.cu; layouts as ref's
/// variance[k] = Σ (x[:, k, :] − mean[k])² / m; the mean is channel_sums. scratch: parts.scratch_floats(c).
inline constexpr DeviceFunction<void(Parts, const float* x, const float* mean, float* variance, int64_t c,
                                     float* scratch)>
    batch_norm_variance{"batch_norm_variance"};
/// sums: (2, c); scratch: parts.scratch_floats(2 · c).
inline constexpr DeviceFunction<void(Parts, BatchNormParameters<float> parameters, const float* x,
                                     const float* gy, float* gx, int64_t c, float* sums, float* scratch)>
    batch_norm_training_vjp_input{"batch_norm_training_vjp_input"};
}  // namespace device

}  // namespace loupe
