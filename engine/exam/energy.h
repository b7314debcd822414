// Energy: how much of the map lies on the object?
#pragma once
#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// The share of the map's positive values that lies on the object. A map without any says nothing about
/// where, and scores as an even one does: the object's share of the picture. The energy-based pointing game
/// of Wang et al. 2020, "Score-CAM".
double energy(const Plane& map, const Region& object);

}  // namespace loupe
