// Grad-CAM: a class activation map for any network, each map of a layer weighted by the mean of its
// gradient. A layer of tokens has as many maps as a token has numbers: each over the grid of patches,
// without the class token.
#include "engine/methods/grad_cam.h"

namespace loupe {

Tensor grad_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  return cam_of_gradients(model, x, "grad_cam", options,
                          [](const CamMaps& a, const CamMaps& g, std::span<double> to) {
                            add_weighted(a, means(g), to);
                            for (double& v : to)
                              if (v < 0) v = 0;  // NaN stays
                          });
}

extern const Method grad_cam_method;
const Method grad_cam_method = cam_layer_method(
    {.name = "grad_cam",
     .summary = "a layer's maps weighted by their mean gradient: where the class is, for any network",
     .source = "Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based "
               "localization",
     .caption = "Warm where the maps hold evidence for the class, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& layer,
               const Options&) -> CamResult { return {grad_cam(model, x, layer)}; }});

}  // namespace loupe
