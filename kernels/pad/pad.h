// pad: positions added before and after what is there, along any axes. Position i of an axis of y, `before`
// of which were added, is
//
//   constant    x[i − before], or `value` outside
//   replicate   the nearest position that there is
//   reflect     mirrored at the first and the last position, which are not repeated: before − i, or what is
//               as far before the last one as i is behind it
//
// as PyTorch's functional.pad. The vjp adds up dL/dy over all positions that were made of one of x, in their
// order.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

struct Pad {
  enum class Mode : uint8_t { constant, replicate, reflect };
  struct Side {
    int axis;  // negative: counted from the end
    int64_t before = 0, after = 0;
  };
  std::vector<Side> sides;
  Mode mode = Mode::constant;
  double value = 0;  // of constant
};

/// Graph node: one input of floats, any rank. Throws UsageError for a negative number of positions or an axis
/// named twice, and (as shape()) for `reflect` by as much as the axis is long, or more.
OpPtr pad(Pad attributes);

/// An axis of `size` positions as reflect or replicate see it.
struct PadAxis {
  int64_t size = 1, before = 0, after = 0;
  bool reflects = false;

  constexpr int64_t padded() const { return before + size + after; }
  /// The position of x that position i of y repeats.
  constexpr int64_t source(int64_t i) const {
    const int64_t at = i - before, last = size - 1;
    if (at < 0) return reflects ? -at : 0;
    if (at > last) return reflects ? 2 * last - at : last;
    return at;
  }
  /// How many positions of y repeat position i of x, and the k-th of them, in ascending order.
  constexpr int64_t images(int64_t i) const {
    const bool first = i == 0, final = i == size - 1;
    if (!reflects) return 1 + (first ? before : 0) + (final ? after : 0);
    return 1 + (mirrored_before(i) ? 1 : 0) + (!final && size - 1 - i <= after ? 1 : 0);
  }
  constexpr int64_t image(int64_t i, int64_t k) const {
    if (!reflects) return i == 0 ? k : before + i + k;
    if (mirrored_before(i)) k -= 1;
    return k < 0 ? before - i : k == 0 ? before + i : before + 2 * (size - 1) - i;
  }

 private:
  constexpr bool mirrored_before(int64_t i) const { return i > 0 && i <= before; }
};

/// Plain data, as it crosses the border of a device's module.
struct PadAxes {
  int rank = 0;
  PadAxis axis[Shape::kMaxRank];
};

namespace ref {
/// reflect and replicate; x and y planar.
template <typename T>
void pad(const PadAxes& p, const T* x, T* y);
template <typename T>
void pad_vjp(const PadAxes& p, const T* gy, T* gx);
}  // namespace ref

namespace cpu {
void pad(const PadAxes& p, const float* x, float* y);
void pad_vjp(const PadAxes& p, const float* gy, float* gx);
}  // namespace cpu

namespace device {  // pad.cu
inline constexpr DeviceFunction<void(const PadAxes& p, const float* x, float* y)> pad{"pad"};
inline constexpr DeviceFunction<void(const PadAxes& p, const float* gy, float* gx)> pad_vjp{"pad_vjp"};
}  // namespace device

}  // namespace loupe
