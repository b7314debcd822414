// softmax and log_softmax over the channels of (N, F) or of every pixel of (N, C, H, W).
//
//   softmax      y_c = exp(x_c − m) / Σ_k exp(x_k − m)        dL/dx_c = y_c (g_c − Σ_k g_k y_k)
//   log_softmax  y_c = x_c − m − log Σ_k exp(x_k − m)         dL/dx_c = g_c − exp(y_c) Σ_k g_k
//
// with m = max_k x_k, so that nothing overflows, and g = dL/dy. The vjp reads y and not x. A NaN makes its
// pixel NaN.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph nodes: one input (N, F) or (N, C, H, W).
OpPtr softmax();
OpPtr log_softmax();

/// One op of the two: all that differs between their *.op.cpp is the row in the table and `log`.
class SoftmaxOp : public Op {
 public:
  SoftmaxOp(const OpKind& kind, bool log) : kind_(kind), log_(log) {}
  const OpKind& kind() const override { return kind_; }
  Shape shape(Shapes inputs) const override;
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  Needs needs(Direction) const override { return {.output = true}; }
  int64_t accumulation_length(Direction, Shapes inputs) const override { return inputs[0][1]; }
  bool log() const { return log_; }

 private:
  const OpKind& kind_;
  bool log_;
};
/// The table of kernels that the two share.
std::vector<OpKind::Row> softmax_kernels();

namespace ref {
/// x, y, gy, gx: (n, c, pixels) planar.
template <typename T>
void softmax(bool log, const T* x, T* y, int64_t n, int64_t c, int64_t pixels);
template <typename T>
void softmax_vjp(bool log, const T* y, const T* gy, T* gx, int64_t n, int64_t c, int64_t pixels);
}  // namespace ref

namespace cpu {
/// x, y, gy, gx: (n, ⌈c/16⌉, pixels, 16). Padding lanes take no part and are written zero.
void softmax(bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels);
void softmax_vjp(bool log, const float* y, const float* gy, float* gx, int64_t n, int64_t c, int64_t pixels);
}  // namespace cpu

namespace device {  // softmax.cu; layouts as ref's
inline constexpr DeviceFunction<void(bool log, const float* x, float* y, int64_t n, int64_t c,
                                     int64_t pixels)>
    softmax{"softmax"};
inline constexpr DeviceFunction<void(bool log, const float* y, const float* gy, float* gx, int64_t n,
                                     int64_t c, int64_t pixels)>
    softmax_vjp{"softmax_vjp"};
}  // namespace device

}  // namespace loupe
