// Part hits: is the strongest pixel on a part with a name (a beak, spots, claws), and on which?
#include <algorithm>

#include "engine/exam/maxima.h"
#include "engine/exam/metric.h"
#include "engine/exam/parts.h"

namespace loupe {

PartHits part_hits(const Plane& map, std::span<const NamedRegion> parts, double tolerance) {
  const auto near = [&](const NamedRegion& part, int64_t y, int64_t x) {
    return distance(part.region, y, x, tolerance) <= tolerance;
  };
  PartHits hits;
  hits.any = share_of_maxima(map, [&](int64_t y, int64_t x) {
    return std::ranges::any_of(parts, [&](const NamedRegion& part) { return near(part, y, x); });
  });
  for (const NamedRegion& part : parts)
    hits.each.push_back(share_of_maxima(map, [&](int64_t y, int64_t x) { return near(part, y, x); }));
  return hits;
}

extern const Metric parts_metric;
const Metric parts_metric{
    .name = "parts",
    .heading = "parts",
    .place = 4,
    .summary = "share of pictures whose strongest pixel lies on a named part of the object",
    .source = "the pointing game of Zhang et al. 2016, on parts",
    .score = [](const Trial& t) -> std::optional<Score> {
      const auto& parts = t.scene.objects.at(0).parts;
      if (parts.empty()) return std::nullopt;
      const PartHits hits = part_hits(t.map(0), parts, t.settings.part_tolerance);
      const auto best = std::ranges::max_element(hits.each);
      return Score{hits.any, *best > 0 ? parts[static_cast<size_t>(best - hits.each.begin())].name : ""};
    }};

}  // namespace loupe
