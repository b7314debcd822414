// Integrated gradients of a layer: shares of the values that it hands on.
#pragma once
#include "engine/methods/path_integral.h"

namespace loupe {

struct LayerIntegratedGradientsOptions {
  Target target = top1;  // top1: the class of the image itself, all the way
  std::string layer;
  Tensor baseline = {};  // like x, or (1, 3, H, W) for all images; none: zero
  PathOptions path = {};
  Progress progress = {};
};

/// (a − a₀)·∫₀¹ ∂F/∂a(a₀ + α(a − a₀)) dα, (N, …) like the layer's values, where a and a₀ are what the layer makes of
/// the image and of the baseline: the straight way between the two, and not what the layer makes of the way between
/// the images. The shares sum to F(x) − F(baseline) if all goes through the layer. What goes past it comes from x. In
/// the device's type. Sundararajan, Taly & Yan 2017, of a layer as Captum's LayerIntegratedGradients. Throws UsageError
/// for a layer that there is not, or that does not lead to the target.
PathResult layer_integrated_gradients(Network& net, const Tensor& x,
                                      const LayerIntegratedGradientsOptions& options);

}  // namespace loupe
