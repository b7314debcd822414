// Max pooling: y[n, c, i, j] = the largest x inside window (i, j); padding is never chosen (PyTorch's
// MaxPool2d).
//
// The tape keeps the *switches* (Zeiler & Fergus 2013): for each output the position of the maximum inside
// its window, r·kernel.w + s, one byte. Padding cells count in the position, so it means the same place for
// every window. A tie goes to the first element in row-major order. NaN is larger than everything, and the
// first NaN wins. A dilated window may miss the map altogether: it gives −∞ and switch 0, which then names a
// padding cell.
//
// Its vjp is max_unpool2d: gradients go where the switches point, and add up where windows overlap.
#pragma once
#include <cstdint>
#include <optional>

#include "kernels/common/op.h"
#include "kernels/common/pooling.h"

namespace loupe {

struct MaxPool2d {
  Pair kernel;                                // at most 256 cells: a switch is one byte
  std::optional<Pair> stride = std::nullopt;  // the kernel's size where not given
  Pair padding{0}, dilation{1};
  bool ceil_mode = false;

  Pooling pooling() const { return {kernel, stride.value_or(kernel), padding, dilation, ceil_mode}; }
};

/// Graph node: (N, C, H, W) → (N, C, H', W'), sizes as Pooling::pooled. UsageError from shape() for sizes
/// that do not fit.
OpPtr max_pool2d(MaxPool2d);

/// Of an op that max_pool2d() made.
const Pooling& max_pool2d_pooling(const Op&);

namespace ref {
/// x: (planes, map.h, map.w); y and switches: (planes, pooled.h, pooled.w), switches may be null.
template <typename T>
void max_pool2d(const Pooling& pooling, Pair map, Pair pooled, const T* x, T* y, uint8_t* switches,
                int64_t planes);
}  // namespace ref

namespace cpu {
/// x: (n, ⌈c/16⌉, map.h, map.w, 16); y and switches: (n, ⌈c/16⌉, pooled.h, pooled.w, 16), switches may be
/// null.
void max_pool2d(const Pooling& pooling, Pair map, Pair pooled, const float* x, float* y, uint8_t* switches,
                int64_t n, int64_t c);
}  // namespace cpu

namespace device {  // max_pool2d.cu; layouts as ref's
inline constexpr DeviceFunction<void(const Pooling& pooling, Pair map, Pair pooled, const float* x, float* y,
                                     uint8_t* switches, int64_t planes)>
    max_pool2d{"max_pool2d"};
}  // namespace device

}  // namespace loupe
