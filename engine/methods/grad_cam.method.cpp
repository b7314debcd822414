// Grad-CAM: a class activation map for any network, each map of a layer weighted by the mean of its gradient.
#include "engine/methods/grad_cam.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
NodeId layer_of(const Network& net, const std::string& name) {
  const std::string& wanted = name.empty() ? net.trunk : name;
  if (wanted.empty())
    throw UsageError(net.name() + " names no layer for grad_cam: choose one with --grad_cam.layer");
  const NodeId layer = net.graph().find(wanted);
  const Shape& s = net.graph().node(layer).shape;
  if (s.rank() != 4 || s[2] * s[3] == 1)
    throw UsageError("grad_cam needs a layer with maps, but '" + net.graph().node(layer).name + "' is " +
                     s.str() + ": choose an earlier one with --grad_cam.layer");
  return layer;
}
}  // namespace

Tensor grad_cam(Network& net, const Tensor& x, const GradCamOptions& options) {
  expect_images(net, x);
  const NodeId layer = layer_of(net, options.layer);
  const Shape one = net.graph().node(layer).shape;
  const int64_t channels = one[1], places = one[2] * one[3];
  Tensor sums = Tensor::zeros(Dtype::f64, {x.shape()[0], one[2], one[3]});
  ScorePass pass{net, {.values = {layer}, .gradients = {layer}}, options.target, options.probe};
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
    .unsuited = [](const Network&) { return std::nullopt; },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const std::string& layer = o.text("layer");
      const NodeId node = layer_of(q.network, layer);
      return {{{"grad_cam",
                grad_cam(q.network, q.input, {.target = q.target, .layer = layer}).row(0),
                {.style = Picture::Style::evidence, .grid = receptive_centres(q.network.graph(), node)},
                "Warm where the maps of layer " + q.network.graph().node(node).name +
                    " hold evidence for the class."}},
              {}};
    }};

}  // namespace loupe
