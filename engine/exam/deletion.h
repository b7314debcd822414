// Deletion: does the answer fall when the relevant pixels go?
#pragma once
#include <cstdint>

#include "engine/exam/perturbation.h"

namespace loupe {

/// From the picture x (1, 3, H, W) to 0 everywhere, which is the mean colour, a grey.
Curve deletion(Network& net, const Tensor& x, int64_t cls, const Plane& map, int64_t steps);

}  // namespace loupe
