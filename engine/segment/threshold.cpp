#include "engine/segment/threshold.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/error.h"

namespace loupe {

std::vector<double> iou_by_threshold(const Plane& map, const Region& object) {
  if (map.values.empty() || map.values.size() != object.inside.size())
    throw Error("a map and an object of different sizes have no overlap");
  const auto [low, high] = std::ranges::minmax(map.values);
  std::vector<int64_t> pixels(kThresholds, 0),
      hits(kThresholds, 0);  // first by the highest threshold they reach
  for (size_t i = 0; i < map.values.size(); ++i) {
    const double height = high > low ? (map.values[i] - low) / (high - low) : 1;
    const auto t =
        static_cast<size_t>(std::clamp(static_cast<int>(height * kThresholds), 0, kThresholds - 1));
    ++pixels[t];
    hits[t] += object.inside[i];
  }
  const int64_t size = object.count();
  std::vector<double> ious(kThresholds);
  for (size_t t = kThresholds; t-- > 0;) {
    if (t + 1 < kThresholds) {
      pixels[t] += pixels[t + 1];
      hits[t] += hits[t + 1];
    }
    const int64_t either = pixels[t] + size - hits[t];
    ious[t] = either ? static_cast<double>(hits[t]) / static_cast<double>(either) : 1;
  }
  return ious;
}

}  // namespace loupe
