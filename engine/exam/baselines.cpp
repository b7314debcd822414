#include "engine/exam/baselines.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/random.h"

namespace loupe {
namespace {

/// An explanation whose map has value(y, x) at each pixel of the question's picture.
template <typename Value>
Explanation drawn(const Question& q, std::string name, const Value& value, std::string caption) {
  const int64_t height = q.input.shape()[2], width = q.input.shape()[3];
  const Tensor map(Dtype::f64, {height, width});
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      map.values<double>()[static_cast<size_t>(y * width + x)] = value(y, x);
  return {{{std::move(name), map, {.style = Picture::Style::evidence}, std::move(caption)}}, {}};
}

uint64_t fingerprint(const Tensor& t) {
  uint64_t hash = 0;
  for (int64_t i = 0; i < t.bytes(); ++i) hash = scrambled(hash ^ std::to_integer<uint64_t>(t.raw()[i]));
  return hash;
}

}  // namespace

const Method centre_baseline{
    .name = "centre",
    .summary = "a Gaussian around the middle, whatever the picture: what the place alone is worth",
    .source = {},
    .options = {},
    .run = [](const Question& q, const Options&) {
      const double middle_y = static_cast<double>(q.input.shape()[2] - 1) / 2,
                   middle_x = static_cast<double>(q.input.shape()[3] - 1) / 2;
      const double deviation = (std::min(middle_y, middle_x) + 0.5) / 2;
      return drawn(
          q, "centre",
          [&](int64_t y, int64_t x) {
            const double dy = (static_cast<double>(y) - middle_y) / deviation,
                         dx = (static_cast<double>(x) - middle_x) / deviation;
            return std::exp(-(dy * dy + dx * dx) / 2);
          },
          "Warm in the middle, whatever the picture.");
    }};

const Method random_baseline{
    .name = "random",
    .summary = "uniform noise: what chance alone is worth",
    .source = {},
    .options = {},
    .run = [](const Question& q, const Options&) {
      const uint64_t seed = fingerprint(q.input);
      const int64_t width = q.input.shape()[3];
      return drawn(
          q, "random",
          [&](int64_t y, int64_t x) { return uniform(seed, static_cast<uint64_t>(y * width + x)); },
          "Uniform noise.");
    }};

}  // namespace loupe
