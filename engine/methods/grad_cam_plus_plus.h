// Grad-CAM++: Grad-CAM with a weight of its own for each place of a map.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

/// Σ_k w_k·A_k, (N, h, w), with w_k = Σ_p α_kp·max(0, G_kp), G = ∂score/∂A and α = G² / (2 G² + (Σ_q A_kq)·G³), 0
/// where that is 0/0. Chattopadhyay et al. 2018, "Grad-CAM++", eq. 19. The paper's Y = exp(score) puts a factor
/// exp(score) before all of it, which is left out. pytorch-grad-cam adds 10⁻⁷ to the denominator, which swamps it where
/// gradients are small. Throws UsageError for a layer without places.
Tensor grad_cam_plus_plus(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
