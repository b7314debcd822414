// LayerCAM: a layer's maps, each place weighted by its own positive gradient.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

/// Σ_k max(0, G_k)·A_k, (N, h, w), G = ∂score/∂A: fine where the layer is fine, so it suits early layers, too. Jiang et
/// al. 2021, "LayerCAM". Throws UsageError for a layer without places.
Tensor layer_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
