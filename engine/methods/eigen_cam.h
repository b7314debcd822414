// Eigen-CAM: a layer's maps along the direction in which they are strongest, whatever the class.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

struct EigenCamOptions {
  std::string layer = {};  // as in CamLayerOptions
  bool centred = false;    // take each map's mean off it first, as pytorch-grad-cam does
};

/// M·v, (N, h, w), where M (places, channels) are the layer's maps and v is M's first right singular vector, with the
/// sign by which the map and Σ_k A_k have an inner product ≥ 0. It asks about no class. Muhammad & Yeasin 2020,
/// "Eigen-CAM: class activation map using principal components", which centres nothing. Throws UsageError for a layer
/// without places.
Tensor eigen_cam(ImageModel& model, const Tensor& x, const EigenCamOptions& options = {});

}  // namespace loupe
