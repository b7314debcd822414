// Energy inside the object: how much of what the map says for the class does it say about the object?
#include <algorithm>

#include "engine/exam/energy.h"
#include "engine/exam/metric.h"

namespace loupe {

double energy(const Plane& map, const Region& object) {
  double inside = 0, all = 0;
  for (size_t i = 0; i < map.values.size(); ++i) {
    const double v = std::max(map.values[i], 0.0);
    all += v;
    if (object.inside[i]) inside += v;
  }
  if (all > 0) return inside / all;
  return static_cast<double>(object.count()) / static_cast<double>(map.values.size());
}

extern const Metric energy_metric;
const Metric energy_metric{.name = "energy",
                           .heading = "energy",
                           .place = 2,
                           .summary = "share of the map's positive values that lies on the object",
                           .source = "Wang et al. 2020, Score-CAM: score-weighted visual explanations",
                           .score = [](const Trial& t) -> std::optional<Score> {
                             return Score{energy(t.map(0), t.scene.objects.at(0).region)};
                           }};

}  // namespace loupe
