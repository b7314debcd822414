#include "engine/methods/cam_layer.h"

#include <algorithm>

#include "engine/methods/token_grid.h"

namespace loupe {

namespace {
std::optional<CamLayer> with_places(const Graph& graph, NodeId layer, const Shape& input,
                                    const std::vector<Shape>& shapes) {
  const Shape& s = shapes[static_cast<size_t>(layer)];
  if (s.rank() == 4 && s[2] * s[3] > 1)
    return CamLayer{
        layer, s[1], s[2], s[3], 0, s[2] * s[3], 1, s[1] * s[2] * s[3], receptive_centres(graph, layer)};
  if (s.rank() != 3) return std::nullopt;
  const auto tokens = token_grid(graph, layer, input);
  if (!tokens || tokens->height * tokens->width < 2) return std::nullopt;
  return CamLayer{layer,
                  s[2],
                  tokens->height,
                  tokens->width,
                  tokens->first * s[2],
                  1,
                  s[2],
                  s[1] * s[2],
                  patch_squares(graph, *tokens)};
}

// "relu1, pool1, conv2": the layers that a CAM can explain; of many the ends.
std::string layers_with_places(const Graph& graph, const Shape& input) {
  constexpr size_t kAll = 12, kEnd = 4;
  const std::vector<Shape> shapes = graph.shapes(input);
  std::vector<std::string> names;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && with_places(graph, n, input, shapes)) names.push_back(graph.node(n).name);
  if (names.empty()) return "no layer of this network has places";
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names.size() > kAll && i == kEnd) {
      list += ", …";
      i = names.size() - kEnd;
    }
    list += (i ? ", " : "") + names[i];
  }
  if (names.size() <= kAll) return "those that work are " + list;
  return std::to_string(names.size()) + " work: " + list + " (`loupe layers` lists all)";
}
}  // namespace

CamLayer cam_layer(const ImageModel& model, std::string_view method, const std::string& layer,
                   const Shape& input) {
  const std::string name(method), option = "--" + name + ".layer";
  const std::string& wanted = layer.empty() ? model.trunk : layer;
  const Graph& graph = model.graph();
  if (wanted.empty())
    throw UsageError(model.name() + " names no layer for " + name + ": choose one with " + option + "; " +
                     layers_with_places(graph, input));
  const NodeId node = graph.find(wanted);
  const std::vector<Shape> shapes = graph.shapes(input);
  if (auto found = with_places(graph, node, input, shapes)) return *std::move(found);
  throw UsageError(name + " needs a layer with maps, but '" + graph.node(node).name + "' is " +
                   shapes[static_cast<size_t>(node)].with(0, 1).str() + ": choose another with " + option +
                   "; " + layers_with_places(graph, input));
}

void add_weighted(const CamMaps& maps, std::span<const double> weights, std::span<double> to) {
  for (int64_t k = 0; k < maps.channels(); ++k) {
    const double weight = weights[static_cast<size_t>(k)];
    for (int64_t p = 0; p < maps.places(); ++p) to[static_cast<size_t>(p)] += weight * maps(k, p);
  }
}

std::vector<double> means(const CamMaps& maps) {
  std::vector<double> means;
  for (int64_t k = 0; k < maps.channels(); ++k) {
    double sum = 0;
    for (int64_t p = 0; p < maps.places(); ++p) sum += maps(k, p);
    means.push_back(sum / static_cast<double>(maps.places()));
  }
  return means;
}

Tensor cam_of_gradients(ImageModel& model, const Tensor& x, std::string_view method,
                        const CamLayerOptions& options, const GradientFormula& formula) {
  Network& net = model.network;
  expect_images(net, x);
  const CamLayer layer = cam_layer(model, method, options.layer, x.shape());
  const Tensor sums = Tensor::zeros(Dtype::f64, {x.shape()[0], layer.height, layer.width});
  ScorePass pass{
      net, x.shape(), {.values = {layer.node}, .gradients = {layer.node}}, options.target, options.probe};
  pass.run(
      x.shape()[0], [&](int64_t begin, int64_t end) { return x.slice(begin, end); },
      [&](Execution& e, int64_t begin) {
        const Tensor values = e.value(layer.node).to(Dtype::f64),
                     gradients = e.gradient(layer.node).to(Dtype::f64);
        for (int64_t n = 0; n < values.shape()[0]; ++n)
          formula({layer, values.row(n).values<const double>().data()},
                  {layer, gradients.row(n).values<const double>().data()},
                  sums.row(begin + n).values<double>());
      });
  return sums.to(net.device().compute_dtype());
}

Tensor cam_of_maps(ImageModel& model, const Tensor& x, const CamLayer& layer, const MapsFormula& formula) {
  Network& net = model.network;
  const Tensor sums = Tensor::zeros(Dtype::f64, {x.shape()[0], layer.height, layer.width});
  const Purpose purpose{.values = {layer.node}};
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    const Tensor values = pass.value(layer.node).to(Dtype::f64);
    for (int64_t n = 0; n < end - begin; ++n)
      formula(begin + n, {layer, values.row(n).values<const double>().data()},
              sums.row(begin + n).values<double>());
  });
  return sums.to(net.device().compute_dtype());
}

Method cam_layer_method(CamMethod m) {
  std::vector<OptionSpec> options = {
      {"layer", std::string(), "the layer with the maps, or with the tokens; empty: the end of the trunk"}};
  options.insert(options.end(), m.options.begin(), m.options.end());
  return {.name = m.name,
          .summary = m.summary,
          .source = m.source,
          .options = std::move(options),
          .unsuited = [name = m.name](const ImageModel& model, const Shape& input,
                                      const Options& o) -> std::optional<std::string> {
            try {
              cam_layer(model, name, o.text("layer"), input);
            } catch (const UsageError& e) {
              if (!o.text("layer").empty()) throw;
              return e.what();
            }
            return std::nullopt;
          },
          .unsuited_target = [name = m.name](const ImageModel& model, const Target& target,
                                             const Options& o) -> std::optional<std::string> {
            const Graph& graph = model.graph();
            const std::string& layer = o.text("layer").empty() ? model.trunk : o.text("layer");
            if (leads_to(graph, graph.find(layer), target.node(graph))) return std::nullopt;
            return "the maps of layer " + layer + " come after " + target.words() +
                   ": choose an earlier one with --" + std::string(name) + ".layer";
          },
          .run = [m](const Question& q, const Options& o) -> Explanation {
            const std::string& wanted = o.text("layer");
            const CamLayer layer = cam_layer(q.model, m.name, wanted, q.input.shape());
            const std::string& name = q.model.graph().node(layer.node).name;
            CamResult found =
                m.run(q.model, q.input, {.target = q.target, .layer = wanted, .progress = q.progress}, o);
            for (Numbers& n : found.numbers) n.values = n.values.row(0);
            const Tensor map = found.map.row(0);
            Explanation answer{{{std::string(m.name),
                                 map,
                                 {.style = m.style, .grid = layer.grid},
                                 m.caption + " " + name + "."}},
                               {},
                               {},
                               std::move(found.numbers)};
            bool zero = true;
            for (int64_t i = 0; i < map.numel(); ++i) zero &= map.item(i) == 0;
            if (zero)
              answer.notes.push_back("The map is 0 everywhere: no place of layer " + name +
                                     " speaks for the class, and what speaks against it is not shown.");
            return answer;
          },
          .costly = m.costly};
}

}  // namespace loupe
