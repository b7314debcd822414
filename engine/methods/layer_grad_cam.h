// Layer Grad-CAM: each map of a layer weighted by its mean gradient, signed.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

/// Σ_k α_k·A_k, (N, h, w), signed, where A are the layer's maps and α_k is the mean of ∂score/∂A_k over places:
/// Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2) without its ReLU, as Captum's LayerGradCam has it, so that what speaks
/// against the class is seen, too. Throws UsageError for a layer without places.
Tensor layer_grad_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
