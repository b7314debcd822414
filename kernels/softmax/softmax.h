// softmax and log_softmax along an axis: over the channels of (N, F), of every pixel of (N, C, H, W), over
// the keys of attention …
//
//   softmax      y_c = exp(x_c − m) / Σ_k exp(x_k − m)        dL/dx_c = y_c (g_c − Σ_k g_k y_k)
//   log_softmax  y_c = x_c − m − log Σ_k exp(x_k − m)         dL/dx_c = g_c − exp(y_c) Σ_k g_k
//
// with m = max_k x_k, so that nothing overflows, and g = dL/dy. The vjp reads y and not x. A NaN makes all
// along its axis NaN.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph nodes: one input of any rank. Axis −1 is the last one. Along axis 1 of (N, F) and (N, C, H, W) the
/// cpu works on blocked arrays, else on planar ones.
OpPtr softmax(int axis = 1);
OpPtr log_softmax(int axis = 1);

/// x and y as (n, c, pixels): c scores along the axis, and what lies before and behind it.
struct SoftmaxSizes {
  int64_t n, c, pixels;
};

/// One op of the two: all that differs between their *.op.cpp is the row in the table and `log`.
class SoftmaxOp : public Op {
 public:
  SoftmaxOp(const OpKind& kind, bool log, int axis) : kind_(kind), log_(log), axis_(axis) {}
  const OpKind& kind() const override { return kind_; }
  std::string describe() const override { return axis_ == 1 ? "" : "axis " + std::to_string(axis_); }
  Shape shape(Shapes inputs) const override;
  LayoutWish layout(Backend b, Shapes inputs) const override {
    return expect_axis(kind_.name, inputs[0], axis_) == 1 ? maps_wish(b, inputs[0]) : LayoutWish::planar;
  }
  Needs needs(Direction) const override { return {.output = true}; }
  int64_t accumulation_length(Direction, Shapes inputs) const override { return sizes(inputs[0]).c; }
  bool log() const { return log_; }
  SoftmaxSizes sizes(const Shape&) const;

 private:
  const OpKind& kind_;
  bool log_;
  int axis_;
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
/// Planar, as ref's.
void softmax_planar(bool log, const float* x, float* y, SoftmaxSizes);
void softmax_planar_vjp(bool log, const float* y, const float* gy, float* gx, SoftmaxSizes);
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
