// Layer Grad-CAM: what grad_cam rectifies.
#include "engine/methods/layer_grad_cam.h"

namespace loupe {

Tensor layer_grad_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  return cam_of_gradients(
      model, x, "layer_grad_cam", options,
      [](const CamMaps& a, const CamMaps& g, std::span<double> to) { add_weighted(a, means(g), to); });
}

extern const Method layer_grad_cam_method;
const Method layer_grad_cam_method = cam_layer_method(
    {.name = "layer_grad_cam",
     .summary = "a layer's maps weighted by their mean gradient, signed: what grad_cam rectifies",
     .source = "Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based "
               "localization, without "
               "its ReLU",
     .caption = "Red where the maps hold evidence for the class and blue where against it, at layer",
     .style = Picture::Style::contribution,
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& layer,
               const Options&) -> CamResult { return {layer_grad_cam(model, x, layer)}; }});

}  // namespace loupe
