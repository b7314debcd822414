#include "engine/exam/sparseness.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/exam/metric.h"

namespace loupe {

double sparseness(const Plane& map) {
  std::vector<double> sizes;
  for (const double v : map.values) sizes.push_back(std::abs(v));
  std::ranges::sort(sizes);
  const auto n = static_cast<double>(sizes.size());
  double weighted = 0, all = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    weighted += (2 * (static_cast<double>(i) + 1) - n - 1) * sizes[i];
    all += sizes[i];
  }
  return all > 0 ? weighted / (n * all) : 0;
}

extern const Metric sparseness_metric;
const Metric sparseness_metric{
    .name = "sparseness",
    .heading = "sparse",
    .place = 15,
    .summary = "Gini index of the map's magnitudes: 0 for an even map, 1 for a single pixel",
    .source =
        "Chalasani, Chen, Chowdhury, Wu & Jha 2020, Concise explanations of neural networks using "
        "adversarial "
        "training",
    .standard = false,
    .descriptive = true,
    .score = [](const Trial& t) -> std::optional<Score> { return Score{sparseness(t.map(0))}; }};

}  // namespace loupe
