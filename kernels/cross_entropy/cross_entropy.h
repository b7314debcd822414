// cross_entropy of scores z (logits) with target distributions t, a row an image:
//
//   loss = −Σ_c t_c · log_softmax(z)_c = Σ_c t_c (m − z_c) + T log S      m = max_c z_c, T = Σ_c t_c,
//   dL/dz_c = g (T · softmax(z)_c − t_c)                                  S = Σ_c exp(z_c − m), g = dL/dloss
//   dL/dt_c = −g · log_softmax(z)_c = g (m − z_c + log S)
//
// Every exponent is at most 0 and S at least 1, so nothing overflows, and no term cancels another. A target
// is any row of numbers: one-hot, mixed, or smoothed (Szegedy et al. 2016, Rethinking the Inception
// Architecture, §7); who fills it decides. A logit that is not finite makes its row's loss NaN or infinite.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// A graph node: inputs are the logits (N, classes) and the targets (N, classes); the output is (N, 1), each
/// image's loss. The batch's mean is a dL/dy of 1/N.
OpPtr cross_entropy();

namespace ref {
/// z, t, gz, gt: (n, c) planar; loss, g: (n).
template <typename T>
void cross_entropy(const T* z, const T* t, T* loss, int64_t n, int64_t c);
template <typename T>
void cross_entropy_vjp_logits(const T* z, const T* t, const T* g, T* gz, int64_t n, int64_t c);
template <typename T>
void cross_entropy_vjp_targets(const T* z, const T* g, T* gt, int64_t n, int64_t c);
}  // namespace ref

namespace cpu {
/// z, t, gz, gt: (n, ⌈c/16⌉, 16); loss, g: (n, 16), of which lane 0 counts. Padding lanes take no part and
/// are written zero.
void cross_entropy(const float* z, const float* t, float* loss, int64_t n, int64_t c);
void cross_entropy_vjp_logits(const float* z, const float* t, const float* g, float* gz, int64_t n,
                              int64_t c);
void cross_entropy_vjp_targets(const float* z, const float* g, float* gt, int64_t n, int64_t c);
}  // namespace cpu

namespace device {  // cross_entropy.cu; layouts as ref's
inline constexpr DeviceFunction<void(const float* z, const float* t, float* loss, int64_t n, int64_t c)>
    cross_entropy{"cross_entropy"};
inline constexpr DeviceFunction<void(const float* z, const float* t, const float* g, float* gz, int64_t n,
                                     int64_t c)>
    cross_entropy_vjp_logits{"cross_entropy_vjp_logits"};
inline constexpr DeviceFunction<void(const float* z, const float* g, float* gt, int64_t n, int64_t c)>
    cross_entropy_vjp_targets{"cross_entropy_vjp_targets"};
}  // namespace device

}  // namespace loupe
