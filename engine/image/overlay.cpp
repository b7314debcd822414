#include "engine/image/overlay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/image/colour.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

using Style = Picture::Style;

/// A map of one value (or three) a cell.
struct Plane {
  int64_t height = 0, width = 0;
  std::vector<double> values;  // (height, width)

  double at(int64_t y, int64_t x) const { return values[y * width + x]; }
};

/// (C, h, w) of a map with the batch dimension left out.
struct MapSize {
  int64_t channels, height, width;
};

MapSize map_size(const Tensor& map) {
  const Shape& s = map.shape();
  const int rank = s.rank();
  if (rank < 2 || rank > 4 || (rank == 4 && s[0] != 1) || s.numel() == 0)
    throw Error("a map to draw has the shape (1, C, H, W), (C, H, W) or (H, W), not " + s.str());
  return {rank == 2 ? 1 : s[rank - 3], s[rank - 2], s[rank - 1]};
}

/// One value a cell: the largest magnitude over the channels, or their sum. NaN in any channel gives NaN.
Plane reduce_channels(std::span<const double> values, MapSize size, bool magnitude) {
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

/// The value at a percentile of the magnitudes, infinities and NaN left out; the largest if that would be
/// zero; 1 for a map without anything to scale by.
double robust_scale(std::span<const double> values, double percentile) {
  std::vector<double> magnitudes;
  for (const double v : values)
    if (std::isfinite(v)) magnitudes.push_back(std::abs(v));
  if (magnitudes.empty()) return 1;
  const auto rank = static_cast<int64_t>(percentile / 100 * static_cast<double>(magnitudes.size() - 1) + 0.5);
  std::nth_element(magnitudes.begin(), magnitudes.begin() + rank, magnitudes.end());
  double scale = magnitudes[rank];
  if (scale == 0) scale = *std::max_element(magnitudes.begin(), magnitudes.end());
  return scale > 0 ? scale : 1;
}

/// Weights of the cells -1, 0, 1, 2 around a place t of the way from cell 0 to cell 1 (Catmull-Rom: smooth,
/// and exact at the cells).
void cubic_weights(double t, double w[4]) {
  w[0] = ((-0.5 * t + 1) * t - 0.5) * t;
  w[1] = (1.5 * t - 2.5) * t * t + 1;
  w[2] = ((-1.5 * t + 2) * t + 0.5) * t;
  w[3] = (0.5 * t - 0.5) * t * t;
}

/// The map at a place between cells; beyond the outermost cells their value holds. The result is kept between
/// the four nearest cells' values: no ring of negative evidence appears around a positive spot. Where the
/// nearest cell is NaN or infinite so is the result, and elsewhere such a cell counts as the nearest.
double sample(const Plane& map, double y, double x) {
  y = std::clamp(y, 0.0, static_cast<double>(map.height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(map.width - 1));
  const double nearest = map.at(std::lround(y), std::lround(x));
  if (!std::isfinite(nearest)) return nearest;
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

/// The map at every pixel of a height×width picture.
Plane to_pixels(Plane map, int64_t height, int64_t width, const std::optional<Grid>& wanted) {
  if (map.height == height && map.width == width && !wanted) return map;
  const double cell_h = static_cast<double>(height) / static_cast<double>(map.height);
  const double cell_w = static_cast<double>(width) / static_cast<double>(map.width);
  const Grid grid = wanted.value_or(Grid{(cell_h - 1) / 2, (cell_w - 1) / 2, cell_h, cell_w});
  Plane pixels{height, width, std::vector<double>(height * width)};
  parallel_for(height, [&](int64_t y) {
    for (int64_t x = 0; x < width; ++x)
      pixels.values[y * width + x] = sample(map, (static_cast<double>(y) - grid.offset_h) / grid.stride_h,
                                            (static_cast<double>(x) - grid.offset_w) / grid.stride_w);
  });
  return pixels;
}

Rgb not_a_number(int64_t y, int64_t x) { return (y / 4 + x / 4) % 2 ? Rgb{0, 0, 0} : Rgb{255, 0, 255}; }

/// The colour of a value v, scaled to [0, 1] (or [-1, 1] for contribution), over a pixel of the photograph.
Lab draw(Style style, Lab photo, float v) {
  switch (style) {
    case Style::magnitude: {
      // A dim grey photograph, and light on it.
      const Lab ground{0.12f + 0.32f * photo.L, 0, 0};
      return mix(ground, heat_colour(0.25f + 0.75f * v), std::pow(v, 0.75f));
    }
    case Style::contribution: {
      // A pale grey photograph, and ink on it.
      const Lab ground{0.72f + 0.26f * photo.L, 0, 0};
      return mix(ground, signed_colour(v < 0 ? -1.0f : 1.0f), std::abs(v));
    }
    case Style::evidence: {
      // The photograph, a little dimmed, where there is none; its shapes stay visible under the heat.
      const Lab hot = heat_colour(0.3f + 0.7f * v);
      const Lab dimmed{0.85f * photo.L, 0.7f * photo.a, 0.7f * photo.b};
      return mix(dimmed, hot, 0.8f * std::pow(v, 0.85f));
    }
    case Style::level: {
      const Lab colour = level_colour(v);
      return {0.65f * colour.L + 0.35f * photo.L, colour.a, colour.b};
    }
    case Style::reconstruction:
      break;
  }
  return photo;
}

Image draw_over(const Image& photo, const Plane& map, Style style, double low, double high) {
  Image image{photo.width, photo.height, std::vector<uint8_t>(photo.rgb.size())};
  parallel_for(photo.height, [&](int64_t y) {
    for (int64_t x = 0; x < photo.width; ++x) {
      const double v = (map.at(y, x) - low) / (high - low);
      const Rgb colour =
          std::isnan(v)
              ? not_a_number(y, x)
              : to_rgb(
                    draw(style, to_lab(photo.pixel(y, x)),
                         static_cast<float>(std::clamp(v, style == Style::contribution ? -1.0 : 0.0, 1.0))));
      std::copy(colour.begin(), colour.end(), image.pixel(y, x));
    }
  });
  return image;
}

Image draw_reconstruction(std::span<const double> values, MapSize size, double scale) {
  Image image{size.width, size.height, std::vector<uint8_t>(size.width * size.height * 3)};
  const int64_t plane = size.width * size.height;
  for (int64_t i = 0; i < plane; ++i) {
    Rgb colour;
    for (int64_t c = 0; c < 3; ++c) {
      const double v = values[(size.channels == 3 ? c * plane : 0) + i] / scale;
      if (std::isnan(v)) {
        colour = not_a_number(i / size.width, i % size.width);
        break;
      }
      colour[static_cast<size_t>(c)] =
          static_cast<uint8_t>(std::lround(127.5 + 127.5 * std::clamp(v, -1.0, 1.0)));
    }
    std::copy(colour.begin(), colour.end(), image.pixel(i / size.width, i % size.width));
  }
  return image;
}

/// Every pixel as a factor×factor square, so that the longer side is at least 224.
Image enlarge(Image image) {
  const int64_t factor = ceil_div(224, std::max(image.width, image.height));
  if (factor == 1) return image;
  Image large{image.width * factor, image.height * factor, {}};
  large.rgb.resize(large.width * large.height * 3);
  for (int64_t y = 0; y < large.height; ++y)
    for (int64_t x = 0; x < large.width; ++x)
      std::copy_n(image.pixel(y / factor, x / factor), 3, large.pixel(y, x));
  return large;
}

}  // namespace

Image overlay(const Tensor& x, const Tensor& map, const Picture& picture, const Preprocessing& how) {
  const Image photo = to_image(x, how);
  const MapSize size = map_size(map);
  if (!(picture.percentile > 0 && picture.percentile <= 100))
    throw UsageError("a picture's percentile must be above 0 and at most 100, got " +
                     std::to_string(picture.percentile));
  if (picture.grid && !(picture.grid->stride_h > 0 && picture.grid->stride_w > 0))
    throw UsageError("a picture's grid must have a stride above 0");
  const Tensor doubles = map.to(Dtype::f64);
  const auto values = doubles.values<const double>();

  if (picture.style == Style::reconstruction) {
    if (size.height != photo.height || size.width != photo.width ||
        (size.channels != 1 && size.channels != 3))
      throw Error("a reconstruction has the shape of its input " + x.shape().str() + ", not " +
                  map.shape().str());
    return enlarge(draw_reconstruction(values, size, robust_scale(values, picture.percentile)));
  }

  const Plane cells = reduce_channels(values, size, picture.style == Style::magnitude);
  double low = 0, high = robust_scale(cells.values, picture.percentile);
  if (picture.style == Style::level) {
    low = std::numeric_limits<double>::infinity(), high = -low;
    for (const double v : cells.values)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (!(low < high)) {  // a constant gets the middle colour
      const double value = std::isfinite(low) ? low : 0, margin = std::max(std::abs(value) / 2, 1e-300);
      low = value - margin, high = value + margin;
    }
  }
  return enlarge(
      draw_over(photo, to_pixels(cells, photo.height, photo.width, picture.grid), picture.style, low, high));
}

}  // namespace loupe
