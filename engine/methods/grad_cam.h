// Grad-CAM: evidence at each place of a layer, from its mean gradients.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

using GradCamOptions = CamLayerOptions;

/// max(0, Σ_k α_k·A_k), (N, h, w), where A are the layer's maps and α_k is the mean of ∂score/∂A_k over
/// places. Selvaraju et al. 2017, "Grad-CAM". Of a vision transformer's layer (N, 1 + h·w, D), A_k are the
/// k-th numbers of the patches' tokens. Throws UsageError for a layer without places.
Tensor grad_cam(ImageModel& model, const Tensor& x, const GradCamOptions& options = {});

}  // namespace loupe
