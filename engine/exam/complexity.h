// Complexity: over how many pixels is the map spread?
#pragma once
#include "engine/image/plane.h"

namespace loupe {

/// The entropy in nats of each pixel's share of the map's magnitudes, −Σ p ln p: 0 where one pixel has
/// everything, ln n for an even map of n pixels, and so for one of zeros. Bhatt, Weller & Moura 2020,
/// "Evaluating and aggregating feature-based model explanations", definition of μ_C. Quantus 0.6 adds 1e-12
/// under the logarithm.
double complexity(const Plane& map);

}  // namespace loupe
