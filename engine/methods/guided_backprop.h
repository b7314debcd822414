// Guided backpropagation.
#pragma once
#include "engine/methods/gradient.h"

namespace loupe {

/// The gradient with ReLUs that also stop negative signals, (N, 3, H, W). Springenberg et al. 2015, "Striving
/// for simplicity".
Tensor guided_backprop(Network& net, const Tensor& x, const GradientOptions& options = {});

}  // namespace loupe
