// Deconvnet.
#pragma once
#include "engine/methods/gradient.h"

namespace loupe {

/// The score projected back to pixels, (N, 3, H, W): pools by their switches, convolutions transposed, ReLUs
/// rectify the signal and ignore the forward pass. May be negative at the input. Zeiler & Fergus 2014,
/// "Visualizing and understanding convolutional networks".
Tensor deconvnet(Network& net, const Tensor& x, const GradientOptions& options = {});

}  // namespace loupe
