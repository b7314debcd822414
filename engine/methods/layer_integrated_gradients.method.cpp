// Integrated gradients of a layer. The pass starts at the layer, whose value an edit sets: what lies below runs once.
#include "engine/methods/layer_integrated_gradients.h"

#include "engine/methods/path_options.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
Tensor values_at(Network& net, const Tensor& x, NodeId layer) {
  std::vector<Tensor> rows;
  const Purpose purpose{.values = {layer}};
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    rows.push_back(pass.value(layer));
  });
  return stack_rows(rows);
}

NodeId layer_of(const ImageModel& model, const std::string& named) {
  const std::string& name = named.empty() ? model.trunk : named;
  if (name.empty()) throw UsageError("the network has no trunk of convolutions: name a layer");
  return model.graph().find(name);
}
}  // namespace

PathResult layer_integrated_gradients(Network& net, const Tensor& x,
                                      const LayerIntegratedGradientsOptions& o) {
  expect_images(net, x);
  check(o.path);
  const NodeId layer = net.graph().find(o.layer);
  const Shape one = x.shape().with(0, 1);
  Tensor start = o.baseline.defined() ? o.baseline : Tensor::zeros(Dtype::f32, one);
  if (start.shape() != x.shape() && start.shape() != one)
    throw UsageError("the baseline of integrated gradients is " + start.shape().str() +
                     ", but the images are " + x.shape().str());
  Tensor from = values_at(net, start, layer);
  const Tensor to = values_at(net, x, layer);
  if (from.shape() != to.shape())
    from = stack_rows(std::vector<Tensor>(static_cast<size_t>(x.shape()[0]), from));
  const Target target = settled(net, x, o.target);
  PathResult r = PathIntegral{.net = net,
                              .x = x,
                              .target = target,
                              .at = layer,
                              .from = from,
                              .to = to,
                              .options = o.path,
                              .progress = o.progress}
                     .run();
  r.attribution = r.attribution.to(net.device().compute_dtype());
  return r;
}

namespace {
std::vector<OptionSpec> specs() {
  std::vector<OptionSpec> all = path_specs();
  all.insert(all.begin(), {"layer", std::string(), "the layer; empty: the end of the trunk"});
  return all;
}
}  // namespace

extern const Method layer_integrated_gradients_method;
const Method layer_integrated_gradients_method{
    .name = "layer_integrated_gradients",
    .summary = "gradients added up along the way of a layer's values: shares of what it hands on",
    .source = "Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks, of a layer",
    .options = specs(),
    .unsuited = [](const ImageModel& model, const Shape& input,
                   const Options& o) -> std::optional<std::string> {
      const std::string& named = o.text("layer");
      if (named.empty() && model.trunk.empty()) return "it has no trunk of convolutions: name a layer";
      const NodeId layer = layer_of(model, named);
      const std::vector<Shape> shapes = model.graph().shapes(input);
      if (shapes[static_cast<size_t>(layer)].rank() == 4) return std::nullopt;
      const std::string why = "layer '" + model.graph().node(layer).name + "' has no maps, but values " +
                              shapes[static_cast<size_t>(layer)].str();
      if (!named.empty()) throw UsageError(why);
      return why;
    },
    .run = [](const Question& q, const Options& o) -> Explanation {
      const NodeId layer = layer_of(q.model, o.text("layer"));
      const std::string& name = q.model.graph().node(layer).name;
      PathMean mean =
          over_baselines(q, o, "layer_integrated_gradients", [&](const Tensor& b, const Progress& progress) {
            return layer_integrated_gradients(q.model, q.input,
                                              {.target = q.target,
                                               .layer = name,
                                               .baseline = b,
                                               .path = path_options(o),
                                               .progress = progress});
          });
      Explanation answer{
          {{"layer_integrated_gradients",
            mean.attribution,
            {.style = Picture::Style::contribution, .grid = receptive_centres(q.model.graph(), layer)},
            "Where what layer " + name +
                " found raises the score above the baseline's (red) or lowers it (blue)."}},
          std::move(mean.checks),
          std::move(mean.notes)};
      answer.unmet = std::move(mean.unmet);
      return answer;
    }};

}  // namespace loupe
