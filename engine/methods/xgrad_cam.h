// XGrad-CAM: Grad-CAM whose weights make the map add up, as far as weights can.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

/// Σ_k w_k·A_k, (N, h, w), signed, with w_k = Σ_p A_kp·G_kp / Σ_p A_kp (0 where that sum is), G = ∂score/∂A: the mean
/// gradient of a map, weighted by the map itself. Fu et al. 2020, "Axiom-based Grad-CAM". Of a network of ReLUs
/// alone the map adds up to the score less what biases above the layer bring. Throws UsageError for a layer without
/// places.
Tensor xgrad_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
