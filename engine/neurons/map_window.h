// Windows of maps, copied where the maps lie. A cell is one channel's number where maps are planar, those of 16 channels
// where they are blocked, so that a row of a window is one stretch of memory either way.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/tensor/tensor.h"

namespace loupe {

/// One image's maps in the host's memory.
struct Maps {
  std::byte* data = nullptr;
  int64_t planes = 0;
  Pair size{0};
  int64_t cell = 0;  // bytes
  std::byte* at(int64_t plane, int64_t y, int64_t x) const {
    return data + ((plane * size.h + y) * size.w + x) * cell;
  }
};

/// Whether rows of it are stretches of whole bytes: all but planar bits.
bool has_cells(const Array& maps);
/// Of an array (N, C, H, W) that has cells.
Maps maps_of(const Array& maps, int64_t image);

/// Rows [at.h, at.h + size.h) and columns [at.w, …) of `from` to a place of `to`, of as many planes and the same cell.
void copy_window(const Maps& from, Pair at, Pair size, const Maps& to, Pair at_to);
/// The same, and all other cells of `to` become zero.
void copy_into_zeros(const Maps& from, Pair at, Pair size, const Maps& to, Pair at_to);

/// A window of maps in any layout and type, as large as `to`, which is planar (C, h, w) and of the same type; bits
/// become bytes.
void copy_planar(const Array& maps, int64_t image, Pair at, const Tensor& to);

/// An array of the host that owns its memory.
struct OwnArray {
  std::shared_ptr<Storage> memory;
  Array array;
  OwnArray() = default;
  OwnArray(Dtype dtype, const Shape& shape, Layout layout);
};

}  // namespace loupe
