// Local response normalisation across channels (Krizhevsky et al. 2012), as PyTorch's LocalResponseNorm
// defines it:
//
//   d_c = k + alpha/size · Σ x²   over channels c − ⌊size/2⌋ … c + ⌊(size−1)/2⌋ of the same pixel; absent ones
//   y_c = x_c / d_c^beta          count 0
//
// The paper's alpha is PyTorch's alpha/size. Its vjp, with the sum over the channels i whose window holds c:
//
//   gx_c = gy_c / d_c^beta − 2·alpha·beta/size · x_c · Σ gy_i·x_i / d_i^(beta+1)
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

struct Lrn {
  int64_t size;                             // channels in a window, at least 1
  double alpha = 1e-4, beta = 0.75, k = 1;  // alpha ≥ 0, k > 0
};

/// Graph node: (N, C, H, W) → the same shape. UsageError from shape() for attributes out of range.
OpPtr lrn(Lrn);

namespace ref {
/// x, y: (n, c, pixels).
template <typename T>
void lrn(const Lrn& lrn, const T* x, T* y, int64_t n, int64_t c, int64_t pixels);
template <typename T>
void lrn_vjp(const Lrn& lrn, const T* x, const T* gy, T* gx, int64_t n, int64_t c, int64_t pixels);
}  // namespace ref

namespace cpu {
/// x, y: (n, ⌈c/16⌉, pixels, 16); workspace: lrn_workspace(size, c) floats.
void lrn(const Lrn& lrn, const float* x, float* y, float* workspace, int64_t n, int64_t c, int64_t pixels);
void lrn_vjp(const Lrn& lrn, const float* x, const float* gy, float* gx, float* workspace, int64_t n,
             int64_t c, int64_t pixels);
int64_t lrn_workspace(int64_t size, int64_t c);
}  // namespace cpu

namespace device {  // lrn.cu; layouts as ref's
inline constexpr DeviceFunction<void(const Lrn& lrn, const float* x, float* y, int64_t n, int64_t c,
                                     int64_t pixels)>
    lrn{"lrn"};
inline constexpr DeviceFunction<void(const Lrn& lrn, const float* x, const float* gy, float* gx, int64_t n,
                                     int64_t c, int64_t pixels)>
    lrn_vjp{"lrn_vjp"};
}  // namespace device

}  // namespace loupe
