#include "engine/exam/localisation_auc.h"

#include <algorithm>
#include <vector>

#include "engine/exam/metric.h"

namespace loupe {

std::optional<double> localisation_auc(const Plane& map, const Region& object) {
  std::vector<std::pair<double, bool>> pixels;
  for (size_t i = 0; i < map.values.size(); ++i) pixels.emplace_back(map.values[i], object.inside.at(i) != 0);
  std::ranges::sort(pixels, {}, &std::pair<double, bool>::first);
  double below = 0, wins = 0, inside = 0;  // pixels beside the object so far
  for (size_t begin = 0, end; begin < pixels.size(); begin = end) {
    double own = 0, other = 0;
    for (end = begin; end < pixels.size() && pixels[end].first == pixels[begin].first; ++end)
      (pixels[end].second ? own : other) += 1;
    wins += own * (below + other / 2);
    below += other, inside += own;
  }
  if (inside == 0 || below == 0) return std::nullopt;
  return wins / (inside * below);
}

extern const Metric localisation_auc_metric;
const Metric localisation_auc_metric{
    .name = "localisation_auc",
    .heading = "AUC",
    .place = 17,
    .summary = "probability that a pixel of the object is more relevant than one beside it",
    .source = "Fawcett 2006, An introduction to ROC analysis",
    .standard = false,
    .score = [](const Trial& t) -> std::optional<Score> {
      const auto area = localisation_auc(t.map(0), t.scene.objects.at(0).region);
      return area ? std::optional<Score>(Score{*area}) : std::nullopt;
    }};

}  // namespace loupe
