#include "engine/exam/complexity.h"

#include <cmath>

#include "engine/exam/metric.h"

namespace loupe {

double complexity(const Plane& map) {
  double all = 0, entropy = 0;
  for (const double v : map.values) all += std::abs(v);
  if (all == 0) return std::log(static_cast<double>(map.values.size()));
  for (const double v : map.values)
    if (const double p = std::abs(v) / all; p > 0) entropy -= p * std::log(p);
  return entropy;
}

extern const Metric complexity_metric;
const Metric complexity_metric{
    .name = "complexity",
    .heading = "complex.",
    .place = 16,
    .summary = "entropy of the map's magnitudes, in nats: its exponential is as many pixels, all equal",
    .source = "Bhatt, Weller & Moura 2020, Evaluating and aggregating feature-based model explanations",
    .better = Metric::Better::lower,
    .standard = false,
    .descriptive = true,
    .score = [](const Trial& t) -> std::optional<Score> { return Score{complexity(t.map(0))}; }};

}  // namespace loupe
