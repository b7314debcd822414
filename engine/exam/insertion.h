// Insertion: does the answer rise when the relevant pixels come?
#pragma once
#include <cstdint>

#include "engine/exam/perturbation.h"

namespace loupe {

/// From a picture too blurred to be recognised (Gaussian, deviation a tenth of the shorter side) to x.
Curve insertion(Network& net, const Tensor& x, int64_t cls, const Plane& map, int64_t steps);

}  // namespace loupe
