// Ablation-CAM: a layer's maps, each weighted by what the score loses without it.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

struct AblationCamResult {
  Tensor map;     // (N, h, w), signed
  Tensor weight;  // (N, K): w_k
};

/// Σ_k w_k·A_k with w_k = (f − f_k) / f, where A are the layer's maps, f is the score and f_k the score where A_k is 0 at
/// all places (of tokens: of all patches). The network below the layer runs once for a whole batch of channels and not
/// again, the rest once for each of K channels. Desai & Ramaswamy 2020, "Ablation-CAM", eq. 6 and 7 without the ReLU.
/// Throws UsageError for a layer without places.
AblationCamResult ablation_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
