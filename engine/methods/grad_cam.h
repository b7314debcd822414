// Grad-CAM: evidence at each place of a layer, from its mean gradients.
#pragma once
#include <string>

#include "engine/run/image_model.h"
#include "engine/run/passes.h"

namespace loupe {

struct GradCamOptions {
  Target target = top1;
  std::string layer = {};  // a layer or module with maps or tokens; empty: the model's trunk
  Probe probe = {};
};

/// max(0, Σ_k α_k·A_k), (N, h, w), where A are the layer's maps and α_k is the mean of ∂score/∂A_k over
/// places. Selvaraju et al. 2017, "Grad-CAM". Of a vision transformer's layer (N, 1 + h·w, D), A_k are the
/// k-th numbers of the patches' tokens.
Tensor grad_cam(ImageModel& model, const Tensor& x, const GradCamOptions& options = {});

}  // namespace loupe
