// Best-threshold intersection over union: how well does the map, cut at the right height, outline the object?
#include <algorithm>
#include <numeric>

#include "engine/exam/iou.h"
#include "engine/exam/metric.h"

namespace loupe {

double best_iou(const Plane& map, const Region& object) {
  std::vector<size_t> order(map.values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return map.values[a] > map.values[b]; });
  const int64_t size = object.count();
  int64_t both = 0;
  double best = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    both += object.inside[order[i]];
    // Equal values reach a threshold together.
    if (i + 1 < order.size() && map.values[order[i + 1]] == map.values[order[i]]) continue;
    const int64_t either = static_cast<int64_t>(i) + 1 + size - both;
    best = std::max(best, static_cast<double>(both) / static_cast<double>(either));
  }
  return best;
}

extern const Metric iou_metric;
const Metric iou_metric{
    .name = "iou",
    .heading = "IoU",
    .place = 3,
    .summary = "overlap of the object with the map cut at its best threshold",
    .source = "Choe et al. 2020, Evaluating weakly supervised object localization methods right",
    .score = [](const Trial& t) -> std::optional<Score> {
      return Score{best_iou(t.map(0), t.scene.objects.at(0).region)};
    }};

}  // namespace loupe
