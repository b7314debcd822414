// HiResCAM: a layer's maps times their gradients.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

/// Σ_k G_k·A_k, (N, h, w), signed, G = ∂score/∂A: what each place of the layer adds to the score, exactly, where only
/// one linear layer follows. Draelos & Carin 2020, "Use HiResCAM instead of Grad-CAM". Throws UsageError for a
/// layer without places.
Tensor hires_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
