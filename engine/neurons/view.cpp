#include "engine/neurons/view.h"

#include <cmath>
#include <numbers>

namespace loupe {

View ViewRange::draw(const Draws& draws, const std::string& name, int64_t step) const {
  double u[4];
  draws.uniforms(name, u, 4 * step);
  const auto moved = [&](double v) {
    return std::floor(v * static_cast<double>(2 * jitter + 1)) - static_cast<double>(jitter);
  };
  return {.down = moved(u[0]),
          .right = moved(u[1]),
          .scale = std::exp((2 * u[2] - 1) * std::log1p(scale)),
          .turn = (2 * u[3] - 1) * rotation * std::numbers::pi / 180};
}

int64_t mirrored(int64_t i, int64_t n) {
  i %= 2 * n;
  if (i < 0) i += 2 * n;
  return i < n ? i : 2 * n - 1 - i;
}

Sampling::Sampling(const View& view, int64_t height, int64_t width) {
  cells_.reserve(static_cast<size_t>(height * width));
  const double my = static_cast<double>(height - 1) / 2, mx = static_cast<double>(width - 1) / 2;
  const double c = std::cos(view.turn) / view.scale, s = std::sin(view.turn) / view.scale;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const double dy = static_cast<double>(y) - my - view.down,
                   dx = static_cast<double>(x) - mx - view.right;
      const double fy = my + c * dy - s * dx, fx = mx + s * dy + c * dx;
      const double y0 = std::floor(fy), x0 = std::floor(fx);
      const auto row = static_cast<int64_t>(y0), column = static_cast<int64_t>(x0);
      cells_.push_back({static_cast<int32_t>(mirrored(row, height) * width),
                        static_cast<int32_t>(mirrored(row + 1, height) * width),
                        static_cast<int32_t>(mirrored(column, width)),
                        static_cast<int32_t>(mirrored(column + 1, width)), fy - y0, fx - x0});
    }
}

void Sampling::sample(const double* plane, double* out) const {
  for (const Cell& c : cells_) {
    const double top = plane[c.top + c.left] * (1 - c.along) + plane[c.top + c.right] * c.along;
    const double bottom = plane[c.bottom + c.left] * (1 - c.along) + plane[c.bottom + c.right] * c.along;
    *out++ = top * (1 - c.down) + bottom * c.down;
  }
}

void Sampling::pull(const double* gradient, double* plane) const {
  for (const Cell& c : cells_) {
    const double top = *gradient * (1 - c.down), bottom = *gradient * c.down;
    ++gradient;
    plane[c.top + c.left] += top * (1 - c.along);
    plane[c.top + c.right] += top * c.along;
    plane[c.bottom + c.left] += bottom * (1 - c.along);
    plane[c.bottom + c.right] += bottom * c.along;
  }
}

}  // namespace loupe
