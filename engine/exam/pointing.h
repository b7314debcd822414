// Pointing: is the strongest pixel on the object?
#pragma once
#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// Does the map's maximum lie on the object, or within `tolerance` pixels (Euclidean, between the middles of
/// pixels) of it? 1 or 0; where several pixels are the maximum, the share of them that do, so that a map that
/// prefers no place scores as chance would. The pointing game of Zhang et al. 2016, "Top-down neural
/// attention by excitation backprop".
double pointing(const Plane& map, const Region& object, double tolerance);

}  // namespace loupe
