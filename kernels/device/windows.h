// One axis of a pooling (common/pooling.h), as kernels want it: in 32 bits, with the divisions prepared.
#pragma once
#include <algorithm>

#include "kernels/common/pooling.h"
#include "kernels/device/cells.h"

namespace loupe::LOUPE_TARGET {

struct WindowAxis {
  int size, count;  // cells of the map, windows over them
  int kernel, stride, padding, dilation;
  int reach;  // from a window's first cell to its last, or to the far edge of any map
  Divider by_stride, by_dilation;

  // A stride or a dilation of more than the padded map leaves it at once; such a one is cut down to that, so
  // that 32 bits suffice.
  WindowAxis(int64_t map, int64_t pooled, int64_t k, int64_t s, int64_t p, int64_t d)
      : size(small(map)),
        count(small(pooled)),
        kernel(small(k)),
        stride(small(std::min(s, map + p))),
        padding(small(p)),
        dilation(small(std::min(d, map + p))),
        reach(small(std::min((k - 1) * std::min(d, map + p), map + p))),
        by_stride(stride),
        by_dilation(dilation) {}
  static WindowAxis rows(const Pooling& p, Pair map, Pair pooled) {
    return {map.h, pooled.h, p.kernel.h, p.stride.h, p.padding.h, p.dilation.h};
  }
  static WindowAxis columns(const Pooling& p, Pair map, Pair pooled) {
    return {map.w, pooled.w, p.kernel.w, p.stride.w, p.padding.w, p.dilation.w};
  }

  /// Where window `i` begins; may be negative.
  LOUPE_DEVICE int begin(int i) const { return i * stride - padding; }

  /// The windows [first, last] in which `cell` may lie; beyond `last` and before `first` it never does.
  LOUPE_DEVICE int first_over(int cell) const {
    const int past = cell + padding - reach;
    return past > 0 ? by_stride.quotient(past + stride - 1) : 0;
  }
  LOUPE_DEVICE int last_over(int cell) const {
    const int last = by_stride.quotient(cell + padding);
    return last < count ? last : count - 1;
  }
  /// Which of window i's cells `cell` is, for i of first_over … last_over; −1 if dilation steps over it.
  LOUPE_DEVICE int position(int i, int cell) const {
    const int offset = cell - begin(i);
    const int r = by_dilation.quotient(offset);
    return r * dilation == offset ? r : -1;
  }
};

/// Windows of 2×2 side by side over rows of whole 16-byte vectors: a thread takes two windows at once.
inline bool pairs_of_2x2(const Pooling& p, Pair map, Pair pooled) {
  return p.kernel == Pair(2) && p.stride == Pair(2) && p.padding == Pair(0) && p.dilation == Pair(1) &&
         map.w % 4 == 0 && pooled.w == map.w / 2;
}

}  // namespace loupe::LOUPE_TARGET
