// Grad-CAM++: weights from second and third derivatives of exp(score), which for a network of ReLUs are powers of the
// first.
#include "engine/methods/grad_cam_plus_plus.h"

namespace loupe {

Tensor grad_cam_plus_plus(ImageModel& model, const Tensor& x, const CamLayerOptions& options) {
  const auto formula = [](const CamMaps& a, const CamMaps& g, std::span<double> to) {
    std::vector<double> weights;
    for (int64_t k = 0; k < a.channels(); ++k) {
      double sum = 0, weight = 0;
      for (int64_t p = 0; p < a.places(); ++p) sum += a(k, p);
      for (int64_t p = 0; p < a.places(); ++p) {
        const double square = g(k, p) * g(k, p);
        if (g(k, p) > 0) weight += safe_ratio(square, 2 * square + sum * square * g(k, p)) * g(k, p);
      }
      weights.push_back(weight);
    }
    add_weighted(a, weights, to);
  };
  return cam_of_gradients(model, x, "grad_cam_plus_plus", options, formula);
}

extern const Method grad_cam_plus_plus_method;
const Method grad_cam_plus_plus_method = cam_layer_method(
    {.name = "grad_cam_plus_plus",
     .summary = "Grad-CAM for several objects of the class: each place of a map has its own weight",
     .source = "Chattopadhyay et al. 2018, Grad-CAM++: improved visual explanations for deep convolutional "
               "networks",
     .caption = "Warm where the maps hold evidence for the class, at layer",
     .run = [](ImageModel& model, const Tensor& x, const CamLayerOptions& layer,
               const Options&) -> CamResult { return {grad_cam_plus_plus(model, x, layer)}; }});

}  // namespace loupe
