// Grad-CAM: a class activation map for any network, each map of a layer weighted by the mean of its gradient.
#include "engine/methods/grad_cam.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
NodeId layer_of(const ImageModel& model, const std::string& name, const Shape& input) {
  const std::string& wanted = name.empty() ? model.trunk : name;
  if (wanted.empty())
    throw UsageError(model.name() + " names no layer for grad_cam: choose one with --grad_cam.layer");
  const NodeId layer = model.graph().find(wanted);
  const Shape s = model.graph().shapes(input)[static_cast<size_t>(layer)];
  if (s.rank() != 4 || s[2] * s[3] == 1)
    throw UsageError("grad_cam needs a layer with maps, but '" + model.graph().node(layer).name + "' is " +
                     s.with(0, 1).str() + ": choose an earlier one with --grad_cam.layer");
  return layer;
}
}  // namespace

Tensor grad_cam(ImageModel& model, const Tensor& x, const GradCamOptions& options) {
  Network& net = model.network;
  expect_images(net, x);
  const NodeId layer = layer_of(model, options.layer, x.shape());
  const Shape one = net.graph().shapes(x.shape())[static_cast<size_t>(layer)];
  const int64_t channels = one[1], places = one[2] * one[3];
  Tensor sums = Tensor::zeros(Dtype::f64, {x.shape()[0], one[2], one[3]});
  ScorePass pass{net, x.shape(), {.values = {layer}, .gradients = {layer}}, options.target, options.probe};
  pass.run(
      x.shape()[0], [&](int64_t begin, int64_t end) { return x.slice(begin, end); },
      [&](Execution& e, int64_t begin) {
        const Tensor maps = e.value(layer).to(Dtype::f64), gradients = e.gradient(layer).to(Dtype::f64);
        for (int64_t n = 0; n < maps.shape()[0]; ++n) {
          double* to = sums.values<double>().data() + (begin + n) * places;
          for (int64_t k = 0; k < channels; ++k) {
            const int64_t at = (n * channels + k) * places;
            const double *a = maps.values<double>().data() + at, *g = gradients.values<double>().data() + at;
            double weight = 0;
            for (int64_t p = 0; p < places; ++p) weight += g[p];
            weight /= static_cast<double>(places);
            for (int64_t p = 0; p < places; ++p) to[p] += weight * a[p];
          }
          for (int64_t p = 0; p < places; ++p)
            if (to[p] < 0) to[p] = 0;  // NaN stays
        }
      });
  return sums.to(net.device().compute_dtype());
}

extern const Method grad_cam_method;
const Method grad_cam_method{
    .name = "grad_cam",
    .summary = "a layer's maps weighted by their mean gradient: where the class is, for any network",
    .source =
        "Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based "
        "localization",
    .options = {{"layer", std::string(),
                 "the layer with the maps; empty: the end of the convolutional trunk"}},
    .unsuited = [](const ImageModel&) { return std::nullopt; },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const std::string& layer = o.text("layer");
      const NodeId node = layer_of(q.model, layer, q.input.shape());
      return {{{"grad_cam",
                grad_cam(q.model, q.input, {.target = q.target, .layer = layer}).row(0),
                {.style = Picture::Style::evidence, .grid = receptive_centres(q.model.graph(), node)},
                "Warm where the maps of layer " + q.model.graph().node(node).name +
                    " hold evidence for the class."}},
              {}};
    }};

}  // namespace loupe
