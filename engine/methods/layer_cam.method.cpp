// LayerCAM: no mean over places, so that early layers keep their detail.
#include "engine/methods/layer_cam.h"

namespace loupe {

Tensor layer_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  return cam_of_gradients(model, x, "layer_cam", options,
                          [](const CamMaps& a, const CamMaps& g, std::span<double> to) {
                            for (int64_t k = 0; k < a.channels(); ++k)
                              for (int64_t p = 0; p < a.places(); ++p)
                                if (g(k, p) > 0) to[static_cast<size_t>(p)] += g(k, p) * a(k, p);
                          });
}

extern const Method layer_cam_method;
const Method layer_cam_method = cam_layer_method(
    {.name = "layer_cam",
     .summary = "a layer's maps times their positive gradients: fine at early layers, too",
     .source = "Jiang et al. 2021, LayerCAM: exploring hierarchical class activation maps for localization",
     .caption = "Warm where the maps hold evidence for the class, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& layer,
               const Options&) -> CamResult { return {layer_cam(model, x, layer)}; }});

}  // namespace loupe
