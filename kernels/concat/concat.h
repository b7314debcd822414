// concat: the inputs' channels one after the other, (N, C₀, H, W), (N, C₁, H, W) … → (N, C₀ + C₁ + …, H, W);
// also (N, F). Its vjp cuts the input's channels out of dL/dy. Both are one kernel: copy a range of channels.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one or more inputs that agree in everything but their channels.
OpPtr concat();

/// `count` channels, from channel `from` of arrays of `source` channels to channel `to` of arrays of `target`
/// channels.
struct ChannelRange {
  int64_t source, from, target, to, count;
};

namespace ref {
/// x: (n, r.source, pixels), y: (n, r.target, pixels), planar.
template <typename T>
void copy_channels(const ChannelRange& r, const T* x, T* y, int64_t n, int64_t pixels);
}  // namespace ref

namespace cpu {
/// x: (n, ⌈r.source/16⌉, pixels, 16), y: (n, ⌈r.target/16⌉, pixels, 16). The range that ends at y's last
/// channel also writes the zeros of its padding lanes.
void copy_channels(const ChannelRange& r, const float* x, float* y, int64_t n, int64_t pixels);
}  // namespace cpu

namespace device {  // concat.cu; layouts as ref's
inline constexpr DeviceFunction<void(const ChannelRange& r, const float* x, float* y, int64_t n,
                                     int64_t pixels)>
    copy_channels{"copy_channels"};
}  // namespace device

}  // namespace loupe
