// Max-sensitivity: the same neighbours for every map of a picture.
#include "engine/exam/max_sensitivity.h"

#include <algorithm>
#include <cmath>

#include "engine/exam/metric.h"

namespace loupe {

Tensor neighbourhood(const Tensor& x, double radius, int64_t count, const Draws& draws) {
  const auto size = static_cast<size_t>(x.numel());
  const Tensor middle = x.to(Dtype::f64), all(Dtype::f64, x.shape().with(0, count));
  const auto to = all.values<double>();
  draws.uniforms("max_sensitivity", to);
  for (size_t i = 0; i < to.size(); ++i) to[i] = middle.values<double>()[i % size] + radius * (2 * to[i] - 1);
  return all.to(x.dtype());
}

std::optional<double> max_sensitivity(const Plane& map, const std::vector<Plane>& around) {
  double size = 0, largest = 0;
  for (const double v : map.values) size += v * v;
  if (size == 0) return std::nullopt;
  for (const Plane& other : around) {
    double moved = 0;
    for (size_t i = 0; i < map.values.size(); ++i) {
      const double d = other.values.at(i) - map.values[i];
      moved += d * d;
    }
    largest = std::max(largest, moved);
  }
  return std::sqrt(largest / size);
}

extern const Metric max_sensitivity_metric;
const Metric max_sensitivity_metric{
    .name = "max_sensitivity",
    .heading = "max-sens",
    .place = 14,
    .summary =
        "the farthest that the map moves, of its length, in pictures that look the same; low is stable",
    .source =
        "Yeh, Hsieh, Suggala, Inouye & Ravikumar 2019, On the (in)fidelity and sensitivity of explanations",
    .better = Metric::Better::lower,
    .costly = true,
    .standard = false,
    .descriptive = true,
    .score = [](const Trial& t) -> std::optional<Score> {
      const auto& around = t.once.get<Tensor>("max_sensitivity", [&] {
        return neighbourhood(t.scene.input, t.settings.radius, t.settings.neighbours);
      });
      const auto found = max_sensitivity(t.map(0), t.maps_of(around));
      return found ? std::optional<Score>(Score{*found}) : std::nullopt;
    }};

}  // namespace loupe
