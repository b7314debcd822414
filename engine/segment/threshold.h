// The best threshold of a map, against which a segmentation is held (Choe et al. 2020, "Evaluating weakly supervised
// object localization methods right"): one for all pictures of a set.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// IoU of an object with a map that was scaled to 0 … 1 (from its least to its largest value) and cut at each of
/// kThresholds heights: element t is of the pixels at or above t / kThresholds. A flat map is above all of them.
inline constexpr int kThresholds = 256;
std::vector<double> iou_by_threshold(const Plane& map, const Region& object);

}  // namespace loupe
