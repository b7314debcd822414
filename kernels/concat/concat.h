// concat: the inputs one after the other along an axis, by default their channels: (N, C₀, H, W), (N, C₁, H,
// W) … → (N, C₀ + C₁ + …, H, W). Its vjp cuts an input's part out of dL/dy. Both are a strided copy
// (kernels/common/strided_copy.h), but for the channels of blocked maps, which the cpu copies in whole
// blocks.
#pragma once
#include <cstdint>

#include "kernels/common/op.h"

namespace loupe {

/// Graph node: one or more inputs, of any rank and of one type, that agree in everything but their size along
/// `axis` (negative: counted from the end).
OpPtr concat(int axis = 1);

/// `count` channels, from channel `from` of arrays of `source` channels to channel `to` of arrays of `target`
/// channels.
struct ChannelRange {
  int64_t source, from, target, to, count;
  ChannelRange inverse() const { return {target, to, source, from, count}; }
};

namespace cpu {
/// x: (n, ⌈r.source/16⌉, pixels, 16), y: (n, ⌈r.target/16⌉, pixels, 16). The range that ends at y's last
/// channel also writes the zeros of its padding lanes.
void copy_channels(const ChannelRange& r, const float* x, float* y, int64_t n, int64_t pixels);
}  // namespace cpu

}  // namespace loupe
