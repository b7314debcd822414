// Plane: one value a pixel, or a cell of a coarser grid. What overlay() draws and what metrics score come
// from here both, so that a score is about the picture that people see.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/image/picture.h"
#include "engine/tensor/tensor.h"

namespace loupe {

struct Plane {
  int64_t height = 0, width = 0;
  std::vector<double> values = {};  // (height, width), row-major

  double at(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * width + x)]; }
  friend bool operator==(const Plane&, const Plane&) = default;
};

/// (C, h, w) of a map with the batch dimension left out.
struct MapSize {
  int64_t channels = 0, height = 0, width = 0;
};
/// Throws Error unless the map is (1, C, h, w), (C, h, w) or (h, w), and not empty.
MapSize map_size(const Tensor& map);

/// One value a cell of a map of f32 or f64: the largest magnitude over the channels, or their sum. NaN in any
/// channel gives NaN.
Plane reduce_channels(const Tensor& map, bool magnitude);

/// The map at every pixel of a height×width picture: smoothly between its cells, which lie as `grid` says,
/// or where the cells are squares, the cell's value. Nothing exceeds the nearest cells' values; beyond the
/// outermost cells their value holds.
Plane to_pixels(Plane map, int64_t height, int64_t width, const std::optional<Grid>& grid);

}  // namespace loupe
