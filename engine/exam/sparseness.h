// Sparseness: do few pixels carry the whole map?
#pragma once
#include "engine/image/plane.h"

namespace loupe {

/// The Gini index of the map's magnitudes, in [0, 1): 0 where all are equal (also where all are 0), 1 − 1/n
/// where one of n has everything. Chalasani, Chen, Chowdhury, Wu & Jha 2020, "Concise explanations of neural
/// networks using adversarial training". Quantus 0.6 adds 1e-7 to every magnitude first.
double sparseness(const Plane& map);

}  // namespace loupe
