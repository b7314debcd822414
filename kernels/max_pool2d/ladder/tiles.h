// What rungs 3 and 4 share: the part of an array that a block brings into shared memory.
#pragma once
#include <algorithm>

#include "kernels/device/windows.h"

namespace loupe::LOUPE_TARGET {

inline constexpr int kMostShared = 48 << 10;  // bytes that any kernel may have

/// Cells [begin, end) along an axis.
struct Span {
  int begin, end;
  LOUPE_DEVICE int size() const { return end > begin ? end - begin : 0; }
};

/// The cells of the map under windows [first, first + count), and the windows over cells [first, first +
/// count).
LOUPE_DEVICE Span under_windows(const WindowAxis& axis, int first, int count) {
  const int last = first + count < axis.count ? first + count - 1 : axis.count - 1;
  const int begin = axis.begin(first), end = axis.begin(last) + axis.reach + 1;
  return {begin > 0 ? begin : 0, end < axis.size ? end : axis.size};
}
LOUPE_DEVICE Span over_cells(const WindowAxis& axis, int first, int count) {
  const int last = first + count < axis.size ? first + count - 1 : axis.size - 1;
  return {axis.first_over(first), axis.last_over(last) + 1};
}

/// The most cells that either can have.
inline int64_t most_under(const WindowAxis& axis, int count) {
  return std::min<int64_t>(axis.size, int64_t{count - 1} * axis.stride + axis.reach + 1);
}
inline int64_t most_over(const WindowAxis& axis, int count) {
  return std::min<int64_t>(axis.count, (count + axis.reach - 1) / axis.stride + 2);
}

/// The block's tile of a result: (plane, first row, first column), blocks counted through all planes.
struct Tiles {
  int down, across;  // tiles of a plane
  int height, width;

  Tiles(int64_t rows, int64_t columns, int h, int w)
      : down(small((rows + h - 1) / h)), across(small((columns + w - 1) / w)), height(h), width(w) {}
  unsigned blocks(int64_t planes) const { return blocks_for(planes * down * across, 1); }
  LOUPE_DEVICE int64_t plane() const { return blockIdx.x / (int64_t{down} * across); }
  LOUPE_DEVICE int top() const {
    return static_cast<int>(blockIdx.x / static_cast<unsigned>(across) % static_cast<unsigned>(down)) *
           height;
  }
  LOUPE_DEVICE int left() const {
    return static_cast<int>(blockIdx.x % static_cast<unsigned>(across)) * width;
  }
};

// Rungs that a later one falls back on, where its idea does not apply.
void max_pool2d_rung2(Stream, const Pooling&, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes);
void max_unpool2d_rung2(Stream, const Pooling&, Pair map, Pair pooled, const float* x,
                        const uint8_t* switches, float* y, int64_t planes);
void max_pool2d_rung3(Stream, const Pooling&, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes);
void max_unpool2d_rung3(Stream, const Pooling&, Pair map, Pair pooled, const float* x,
                        const uint8_t* switches, float* y, int64_t planes);

}  // namespace loupe::LOUPE_TARGET
