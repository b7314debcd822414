// Grad-CAM: a class activation map for any network, each map of a layer weighted by the mean of its
// gradient. A layer of tokens has as many maps as a token has numbers: each over the grid of patches,
// without the class token.
#include "engine/methods/grad_cam.h"

#include "engine/methods/token_grid.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
struct Layer {
  NodeId node;
  int64_t channels, height, width;
  int64_t first, channel_step, place_step;  // of an image's numbers: that of channel k and place p
  std::optional<Grid> grid;                 // where the places lie on the input
};

Layer layer_of(const ImageModel& model, const std::string& name, const Shape& input) {
  const std::string& wanted = name.empty() ? model.trunk : name;
  if (wanted.empty())
    throw UsageError(model.name() + " names no layer for grad_cam: choose one with --grad_cam.layer");
  const Graph& graph = model.graph();
  const NodeId layer = graph.find(wanted);
  const Shape s = graph.shapes(input)[static_cast<size_t>(layer)];
  if (s.rank() == 4 && s[2] * s[3] > 1)
    return {layer, s[1], s[2], s[3], 0, s[2] * s[3], 1, receptive_centres(graph, layer)};
  if (const auto tokens = token_grid(graph, layer, input))
    return {layer,
            s[2],
            tokens->height,
            tokens->width,
            tokens->first * s[2],
            1,
            s[2],
            patch_squares(graph, *tokens)};
  throw UsageError("grad_cam needs a layer with maps, but '" + graph.node(layer).name + "' is " +
                   s.with(0, 1).str() + ": choose an earlier one with --grad_cam.layer");
}

// Σ_k α_k·A_k at every place, of one image's values and gradients.
void weighted_sum(const Layer& l, const double* values, const double* gradients, double* to) {
  const int64_t places = l.height * l.width;
  for (int64_t k = 0; k < l.channels; ++k) {
    const int64_t at = l.first + k * l.channel_step;
    double weight = 0;
    for (int64_t p = 0; p < places; ++p) weight += gradients[at + p * l.place_step];
    weight /= static_cast<double>(places);
    for (int64_t p = 0; p < places; ++p) to[p] += weight * values[at + p * l.place_step];
  }
}
}  // namespace

Tensor grad_cam(ImageModel& model, const Tensor& x, const GradCamOptions& options) {
  Network& net = model.network;
  expect_images(net, x);
  const Layer layer = layer_of(model, options.layer, x.shape());
  const int64_t places = layer.height * layer.width;
  Tensor sums = Tensor::zeros(Dtype::f64, {x.shape()[0], layer.height, layer.width});
  ScorePass pass{
      net, x.shape(), {.values = {layer.node}, .gradients = {layer.node}}, options.target, options.probe};
  pass.run(
      x.shape()[0], [&](int64_t begin, int64_t end) { return x.slice(begin, end); },
      [&](Execution& e, int64_t begin) {
        const Tensor values = e.value(layer.node).to(Dtype::f64),
                     gradients = e.gradient(layer.node).to(Dtype::f64);
        const int64_t image = values.numel() / values.shape()[0];
        for (int64_t n = 0; n < values.shape()[0]; ++n) {
          double* to = sums.values<double>().data() + (begin + n) * places;
          weighted_sum(layer, values.values<double>().data() + n * image,
                       gradients.values<double>().data() + n * image, to);
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
                 "the layer with the maps, or with the tokens; empty: the end of the trunk"}},
    .unsuited = [](const ImageModel& model, const Shape& input,
                   const Options& o) -> std::optional<std::string> {
      const std::string& layer = o.text("layer");
      try {
        layer_of(model, layer, input);
      } catch (const UsageError& e) {
        if (!layer.empty()) throw;
        return e.what();
      }
      return std::nullopt;
    },
    .unsuited_target = [](const ImageModel& model, const Target& target,
                          const Options& o) -> std::optional<std::string> {
      const Graph& graph = model.graph();
      const std::string& name = o.text("layer").empty() ? model.trunk : o.text("layer");
      if (leads_to(graph, graph.find(name), target.node(graph))) return std::nullopt;
      return "the maps of layer " + name + " come after " + target.words() +
             ": choose an earlier one with --grad_cam.layer";
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const std::string& layer = o.text("layer");
      const Layer found = layer_of(q.model, layer, q.input.shape());
      const std::string& name = q.model.graph().node(found.node).name;
      const Tensor map = grad_cam(q.model, q.input, {.target = q.target, .layer = layer}).row(0);
      Explanation answer{{{"grad_cam",
                           map,
                           {.style = Picture::Style::evidence, .grid = found.grid},
                           "Warm where the maps of layer " + name + " hold evidence for the class."}},
                         {}};
      bool zero = true;
      for (int64_t i = 0; i < map.numel(); ++i) zero &= map.item(i) == 0;
      if (zero)
        answer.notes.push_back("The map is 0 everywhere: no place of layer " + name +
                               " speaks for the class, and what speaks against it is not shown.");
      return answer;
    }};

}  // namespace loupe
