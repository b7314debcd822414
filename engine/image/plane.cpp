#include "engine/image/plane.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

/// Weights of the cells -1, 0, 1, 2 around a place t of the way from cell 0 to cell 1 (Catmull-Rom: smooth,
/// and exact at the cells).
void cubic_weights(double t, double w[4]) {
  w[0] = ((-0.5 * t + 1) * t - 0.5) * t;
  w[1] = (1.5 * t - 2.5) * t * t + 1;
  w[2] = ((-1.5 * t + 2) * t + 0.5) * t;
  w[3] = (0.5 * t - 0.5) * t * t;
}

/// The map at a place between cells, or the nearest of them; beyond the outermost cells their value holds.
/// The result is kept between the four nearest cells' values: no ring of negative evidence appears around a
/// positive spot. Where the nearest cell is NaN or infinite so is the result, and elsewhere such a cell
/// counts as the nearest.
double sample(const Plane& map, double y, double x, bool squares) {
  y = std::clamp(y, 0.0, static_cast<double>(map.height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(map.width - 1));
  const double nearest = map.at(std::lround(y), std::lround(x));
  if (squares || !std::isfinite(nearest)) return nearest;
  const auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  double wy[4], wx[4];
  cubic_weights(y - static_cast<double>(top), wy);
  cubic_weights(x - static_cast<double>(left), wx);
  double sum = 0, low = nearest, high = nearest;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      double v = map.at(std::clamp<int64_t>(top + i - 1, 0, map.height - 1),
                        std::clamp<int64_t>(left + j - 1, 0, map.width - 1));
      if (!std::isfinite(v)) v = nearest;
      sum += wy[i] * wx[j] * v;
      if ((i == 1 || i == 2) && (j == 1 || j == 2)) low = std::min(low, v), high = std::max(high, v);
    }
  return std::clamp(sum, low, high);
}

}  // namespace

MapSize map_size(const Tensor& map) {
  const Shape& s = map.shape();
  const int rank = s.rank();
  if (rank < 2 || rank > 4 || (rank == 4 && s[0] != 1) || s.numel() == 0)
    throw Error("a map to draw has the shape (1, C, H, W), (C, H, W) or (H, W), not " + s.str());
  return {rank == 2 ? 1 : s[rank - 3], s[rank - 2], s[rank - 1]};
}

Plane reduce_channels(const Tensor& map, bool magnitude) {
  const MapSize size = map_size(map);
  const Tensor doubles = map.to(Dtype::f64);
  const auto values = doubles.values<const double>();
  Plane plane{size.height, size.width, std::vector<double>(size.height * size.width)};
  const int64_t cells = size.height * size.width;
  for (int64_t i = 0; i < cells; ++i) {
    double sum = 0;
    for (int64_t c = 0; c < size.channels; ++c) {
      const double v = values[c * cells + i];
      if (!magnitude)
        sum += v;
      else if (!(std::abs(v) <= sum))
        sum = std::isnan(sum) ? sum : std::abs(v);
    }
    plane.values[i] = sum;
  }
  return plane;
}

Plane to_pixels(Plane map, int64_t height, int64_t width, const std::optional<Grid>& wanted) {
  if (map.height == height && map.width == width && !wanted) return map;
  const double cell_h = static_cast<double>(height) / static_cast<double>(map.height);
  const double cell_w = static_cast<double>(width) / static_cast<double>(map.width);
  const Grid grid = wanted.value_or(Grid{(cell_h - 1) / 2, (cell_w - 1) / 2, cell_h, cell_w});
  Plane pixels{height, width, std::vector<double>(height * width)};
  parallel_for(height, [&](int64_t y) {
    for (int64_t x = 0; x < width; ++x)
      pixels.values[y * width + x] =
          sample(map, (static_cast<double>(y) - grid.offset_h) / grid.stride_h,
                 (static_cast<double>(x) - grid.offset_w) / grid.stride_w, grid.squares);
  });
  return pixels;
}

}  // namespace loupe
