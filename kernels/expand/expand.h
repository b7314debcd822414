// expand: one image repeated for every image of a batch, as a class token or a table of positions is,
//
//   y[n, …] = x[0, …]   for n < like.size(0)
//
// Its vjp adds dL/dy up over the batch, in the batch's order. `like` lends its first dimension alone: its
// numbers are not read, and dL/d(like) is zero.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: inputs x (1, …) and like (N, …), of any rank. A parameter's x that is (N, …) already passes as
/// it is.
OpPtr expand();

namespace ref {
/// gx[i] = Σ over b < n of gy[b·image + i], in the order of b.
template <typename T>
void sum_over_batch(const T* gy, T* gx, int64_t n, int64_t image);
}  // namespace ref

namespace cpu {
void sum_over_batch(const float* gy, float* gx, int64_t n, int64_t image);
}  // namespace cpu

namespace device {  // expand.cu
inline constexpr DeviceFunction<void(const float* gy, float* gx, int64_t n, int64_t image)> sum_over_batch{
    "sum_over_batch"};
}  // namespace device

}  // namespace loupe
