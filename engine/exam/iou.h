// Intersection over union: how well does the map outline the object?
#pragma once
#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// The largest |A ∩ object| / |A ∪ object| of all sets A of pixels that reach some threshold; O(n log n). As
/// in Choe et al. 2020, "Evaluating weakly supervised object localization methods right", whose best
/// threshold is one for all pictures; here it is each picture's own, so the measure is of the map's shape
/// alone.
double best_iou(const Plane& map, const Region& object);

}  // namespace loupe
