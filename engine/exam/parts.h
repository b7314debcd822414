// Parts: is the strongest pixel on one of the object's named parts?
#pragma once
#include <span>
#include <vector>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// The share of the map's maxima within `tolerance` pixels of a part, for each of the parts, and for any.
struct PartHits {
  double any = 0;
  std::vector<double> each = {};
};
PartHits part_hits(const Plane& map, std::span<const NamedRegion> parts, double tolerance);

}  // namespace loupe
