#include "engine/image/overlay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/image/colour.h"
#include "engine/image/plane.h"
#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

using Style = Picture::Style;

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

  const Plane cells = reduce_channels(map, picture.style == Style::magnitude);
  double low = 0, high = robust_scale(cells.values, picture.percentile);
  if (picture.style == Style::evidence && picture.from_least) {
    for (low = high; const double v : cells.values)
      if (std::isfinite(v)) low = std::min(low, v);
    if (low == high) high = low + 1;  // a constant is none anywhere
  }
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
