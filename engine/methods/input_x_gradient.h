// Input times gradient.
#pragma once
#include "engine/methods/gradient.h"

namespace loupe {

/// x · ∂score/∂x, (N, 3, H, W). Shrikumar et al. 2016, "Not just a black box".
Tensor input_x_gradient(Network& net, const Tensor& x, const GradientOptions& options = {});

}  // namespace loupe
