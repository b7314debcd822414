// XGrad-CAM: the sensitivity and conservation axioms of Fu et al. 2020, met as closely as one weight a map can.
#include "engine/methods/xgrad_cam.h"

namespace loupe {

Tensor xgrad_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  return cam_of_gradients(model, x, "xgrad_cam", options,
                          [](const CamMaps& a, const CamMaps& g, std::span<double> to) {
                            std::vector<double> weights;
                            for (int64_t k = 0; k < a.channels(); ++k) {
                              double product = 0, sum = 0;
                              for (int64_t p = 0; p < a.places(); ++p) {
                                product += a(k, p) * g(k, p);
                                sum += a(k, p);
                              }
                              weights.push_back(safe_ratio(product, sum));
                            }
                            add_weighted(a, weights, to);
                          });
}

extern const Method xgrad_cam_method;
const Method xgrad_cam_method = cam_layer_method(
    {.name = "xgrad_cam",
     .summary =
         "Grad-CAM with gradients averaged where the maps are active, so that the map adds up to the score",
     .source = "Fu et al. 2020, Axiom-based Grad-CAM: towards accurate visualization and explanation of CNNs",
     .caption = "Warm where the maps hold evidence for the class, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& layer,
               const Options&) -> CamResult { return {xgrad_cam(model, x, layer)}; }});

}  // namespace loupe
