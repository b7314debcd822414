// Max unpooling by switches: every input goes to the place in the output that its switch names; inputs that
// meet there add up, and every other output is 0 (the unpooling of deconvnets, Zeiler & Fergus 2013). It is
// the transpose of max_pool2d with its switches held fixed, so it is also that op's vjp, and max pooling "by
// switches" is its own vjp.
//
// A switch r·kernel.w + s of window (i, j) names row i·stride.h − padding.h + r·dilation.h, column likewise.
// Switches may come from a user: one that is outside the window or names a place outside the map is skipped,
// forward and backward. Additions at one place are made in row-major order of the windows.
#pragma once
#include <cstdint>
#include <optional>

#include "kernels/common/op.h"
#include "kernels/common/pooling.h"

namespace loupe {

struct MaxUnpool2d {
  Pair kernel;                                // of the pooling that is undone; at most 256 cells
  std::optional<Pair> stride = std::nullopt;  // the kernel's size where not given
  Pair padding{0}, dilation{1};
  Pair output;  // size of the maps to make: (H, W) before that pooling

  Pooling pooling() const { return {kernel, stride.value_or(kernel), padding, dilation, false}; }
};

/// Graph node with two inputs: x (N, C, H', W') and switches, u8, of the same shape; → (N, C, output.h,
/// output.w). UsageError from shape() if pooling maps of that size would not give H'×W', be it in floor or in
/// ceil mode.
OpPtr max_unpool2d(MaxUnpool2d);

namespace ref {
/// x, switches: (planes, pooled.h, pooled.w); y: (planes, map.h, map.w), overwritten.
template <typename T>
void max_unpool2d(const Pooling& pooling, Pair map, Pair pooled, const T* x, const uint8_t* switches, T* y,
                  int64_t planes);
/// gx: like x; gy: like y. gx = gy at the place that the switch names, or 0.
template <typename T>
void max_unpool2d_vjp(const Pooling& pooling, Pair map, Pair pooled, const T* gy, const uint8_t* switches,
                      T* gx, int64_t planes);
}  // namespace ref

namespace cpu {
/// x, switches: (n, ⌈c/16⌉, pooled.h, pooled.w, 16); y: (n, ⌈c/16⌉, map.h, map.w, 16), overwritten.
void max_unpool2d(const Pooling& pooling, Pair map, Pair pooled, const float* x, const uint8_t* switches,
                  float* y, int64_t n, int64_t c);
void max_unpool2d_vjp(const Pooling& pooling, Pair map, Pair pooled, const float* gy, const uint8_t* switches,
                      float* gx, int64_t n, int64_t c);
}  // namespace cpu

namespace device {  // max_unpool2d.cu; layouts as ref's
inline constexpr DeviceFunction<void(const Pooling& pooling, Pair map, Pair pooled, const float* x,
                                     const uint8_t* switches, float* y, int64_t planes)>
    max_unpool2d{"max_unpool2d"};
inline constexpr DeviceFunction<void(const Pooling& pooling, Pair map, Pair pooled, const float* gy,
                                     const uint8_t* switches, float* gx, int64_t planes)>
    max_unpool2d_vjp{"max_unpool2d_vjp"};
}  // namespace device

}  // namespace loupe
