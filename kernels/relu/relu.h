// The relu family, elementwise. One set of kernels serves relu, relu6 and leaky_relu.
//
//   relu        y = max(x, 0)                 dy/dx = 1 for x > 0, else 0
//   relu6       y = min(max(x, 0), 6)         dy/dx = 1 for 0 < x < 6, else 0
//   leaky_relu  y = x for x > 0, else slope·x dy/dx = 1 for x > 0, else slope
//
// The derivative at a kink is the one of the flat side, as in PyTorch. NaN passes through, forward and
// backward. The tape keeps one bit an element, set where dy/dx is 1 (see Dtype::bit for its layout), so the
// vjp needs neither x nor y.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph nodes: relu(), relu6(), leaky_relu(slope).
OpPtr relu();
OpPtr relu6();
OpPtr leaky_relu(double slope);

/// One op of the family: all that differs between their *.op.cpp is the row in the table and the activation.
class ActivationOp : public Op {
 public:
  ActivationOp(const OpKind& kind, Activation activation) : kind_(kind), activation_(activation) {}
  const OpKind& kind() const override { return kind_; }
  std::string describe() const override;
  Shape infer(Shapes inputs) const override;
  bool in_place() const override { return true; }
  Activation activation() const override { return activation_; }
  std::optional<Saved> saved(Shapes inputs) const override { return Saved{Dtype::bit, inputs[0]}; }
  Needs needs(Direction) const override { return {.saved = true}; }

 private:
  const OpKind& kind_;
  Activation activation_;
};
/// The table of kernels that the family shares.
std::vector<OpKind::Row> activation_kernels();

/// Which channels of a batch a relu let through at all: on[c] = 1 if the bit of any image and pixel of
/// channel c is set in `mask`, the tape's record of (N, C, H, W) or (N, F) in the backend's layout, else 0:
/// such a unit is dead, at least for this batch. `on`: C bytes (or F) in the backend's memory. On a device
/// the work is queued.
void channels_on(Backend, const Queue&, const Array& mask, uint8_t* on);

namespace ref {
/// x, y: (n, image) planar, may be the same; mask: (n, ⌈image/8⌉) bytes or null.
template <typename T>
void activation_forward(Activation a, const T* x, T* y, uint8_t* mask, int64_t n, int64_t image);
/// gy, gx: (n, image), may be the same.
template <typename T>
void activation_vjp(Activation a, const T* gy, const uint8_t* mask, T* gx, int64_t n, int64_t image);
/// mask: (n, ⌈c·pixels/8⌉) bytes; on: (c).
void channels_on(const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels);
}  // namespace ref

namespace cpu {
/// x, y: `cells` groups of 16 floats (the blocked layout); mask: one uint16 a cell, or null.
void activation_forward(Activation a, const float* x, float* y, uint16_t* mask, int64_t cells);
void activation_vjp(Activation a, const float* gy, const uint16_t* mask, float* gx, int64_t cells);
/// mask: (n, ⌈c/16⌉, pixels); on: (c).
void channels_on(const uint16_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels);
}  // namespace cpu

namespace device {  // relu.cu; layouts as ref's
inline constexpr DeviceFunction<void(Activation a, const float* x, float* y, uint8_t* mask, int64_t n,
                                     int64_t image)>
    activation_forward{"activation_forward"};
inline constexpr DeviceFunction<void(Activation a, const float* gy, const uint8_t* mask, float* gx, int64_t n,
                                     int64_t image)>
    activation_vjp{"activation_vjp"};
inline constexpr DeviceFunction<void(const uint8_t* mask, uint8_t* on, int64_t n, int64_t c, int64_t pixels)>
    channels_on{"channels_on"};
}  // namespace device

}  // namespace loupe
