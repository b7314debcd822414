// HiResCAM: activation times gradient of a layer, summed over its maps.
#include "engine/methods/hires_cam.h"

namespace loupe {

Tensor hires_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  return cam_of_gradients(model, x, "hires_cam", options,
                          [](const CamMaps& a, const CamMaps& g, std::span<double> to) {
                            for (int64_t k = 0; k < a.channels(); ++k)
                              for (int64_t p = 0; p < a.places(); ++p)
                                to[static_cast<size_t>(p)] += g(k, p) * a(k, p);
                          });
}

extern const Method hires_cam_method;
const Method hires_cam_method =
    cam_layer_method({.name = "hires_cam",
                      .summary = "a layer's maps times their gradients: each place's share of the score",
                      .source = "Draelos & Carin 2020, Use HiResCAM instead of Grad-CAM for faithful "
                                "explanations of convolutional neural networks",
                      .caption = "Warm where the maps hold evidence for the class, at layer",
                      .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& layer,
                                const Options&) -> CamResult { return {hires_cam(model, x, layer)}; }});

}  // namespace loupe
