#include "engine/methods/excitation_backprop.h"

#include <algorithm>

#include "engine/methods/relevance_rules.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/stable_div/stable_div.h"

namespace loupe {

namespace {

using relevance::Share;
using Part = relevance::Term::Part;

const Share kExcites{{{Part::all, relevance::parts(1, 0)}}, 1};
const Share kInhibits{{{Part::all, relevance::parts(0, -1)}}, -1};

// Of a sum only what is positive excites: P_a = a⁺ P / (a⁺ + b⁺). With a constant the value takes all.
void sum_row(SignalStep& s) {
  std::vector<RowOperand> excites;
  for (int i = 0; i < 2; ++i) {
    const RowOperand x = s.operand(i);
    if (x.weight >= 0) return s.pass(s.vjp(s.signal(), 1 - i), 1 - i);
    excites.push_back({.value = s.apply(relu(), {x})});
  }
  const ValueId z = s.apply(s.node().op, excites),
                share = s.apply(stable_div(0), {{.value = s.signal()}, {.value = z}});
  for (int i = 0; i < 2; ++i)
    s.pass(s.apply(mul(), {excites[static_cast<size_t>(i)], {.value = s.vjp(share, i)}}), i);
}

Rule excitation_rule(const Graph& graph, bool contrastive, NodeId from) {
  Rule rule = relevance::network_rows(0);
  rule.name = contrastive ? "contrastive excitation" : "excitation";
  for (const char* kind : {"conv2d", "conv_transpose2d", "linear"})
    rule.rows[kind] = relevance::shares({kExcites}, 0, {});
  rule.rows["add"] = sum_row;
  if (!contrastive) return rule;
  NodeId last = -1;
  for (const NodeId n : relevance::layers_with_weights(graph))
    if (n <= from) last = n;
  if (last < 0) return rule;
  rule.name += " at " + graph.node(last).name;
  rule.nodes[graph.node(last).name] = relevance::shares({kExcites, kInhibits}, 0, {});
  return rule;
}

bool joins(const Graph& graph, NodeId n) {
  const Node& node = graph.node(n);
  if (!node.op || (node.op->kind().name != "concat" && node.op->kind().name != "add")) return false;
  return std::ranges::count_if(node.inputs, [&](const Port& p) { return !graph.node(p.node).is_weight(); }) >
         1;
}

bool pools(const Graph& graph, NodeId n) {
  const Node& node = graph.node(n);
  return node.op && (node.op->kind().name == "max_pool2d" || node.op->kind().name == "avg_pool2d");
}

bool has_places(const Graph& graph, NodeId n) {
  const Shape& s = graph.node(n).shape();
  return s.rank() == 4 && s[2] * s[3] > 1;
}

}  // namespace

NodeId excitation_layer(const Graph& graph) {
  const std::vector<bool> non_negative = relevance::non_negative(graph);
  const auto first = [&](const std::function<bool(NodeId)>& fits) {
    for (NodeId n = 0; n < graph.size(); ++n)
      if (non_negative[static_cast<size_t>(n)] && has_places(graph, n) && fits(n)) return n;
    return NodeId{-1};
  };
  NodeId layer = first([&](NodeId n) {  // a sum's values are those of the function after it
    return joins(graph, n) ||
           (graph.node(n).inputs.size() == 1 && joins(graph, graph.node(n).inputs[0].node));
  });
  if (layer < 0) layer = first([&](NodeId n) { return pools(graph, n); });
  return layer < 0 ? first([](NodeId) { return true; }) : layer;
}

std::optional<std::string> excitation_missing(const Graph& graph, NodeId layer) {
  if (layer < 0) return "it has no layer with maps whose values are never negative";
  const std::vector<bool> non_negative = relevance::non_negative(graph);
  std::vector<bool> below(static_cast<size_t>(graph.size()));  // what depends on the layer
  for (NodeId n = layer; n < graph.size(); ++n) {
    below[static_cast<size_t>(n)] = n == layer;
    for (const Port& p : graph.node(n).inputs)
      if (below[static_cast<size_t>(p.node)]) below[static_cast<size_t>(n)] = true;
    const bool reads = below[static_cast<size_t>(n)] && n != layer && relevance::has_weights(graph.node(n));
    if (reads && !non_negative[static_cast<size_t>(graph.node(n).inputs[0].node)])
      return "'" + graph.node(n).name + "' reads values that may be negative";
  }
  return relevance::op_without_row(graph, excitation_rule(graph, false, graph.output()), "");
}

namespace {
NodeId layer_of(const Graph& graph, const std::string& name) {
  return name.empty() ? excitation_layer(graph) : graph.find(name);
}
}  // namespace

Tensor excitation_backprop(ImageModel& model, const Tensor& x, const ExcitationOptions& options) {
  Network& net = model.network;
  expect_images(net, x);
  const Graph& graph = net.graph();
  const NodeId layer = layer_of(graph, options.layer), from = options.target.node(graph);
  if (const auto why = excitation_missing(graph, layer))
    throw UsageError("excitation backprop does not suit " + net.name() + ": " + *why);
  const Tensor map(net.device().compute_dtype(), graph.shapes(x.shape())[static_cast<size_t>(layer)]);
  ScorePass pass{net,
                 x.shape(),
                 {.gradients = {layer}, .rule = excitation_rule(graph, options.contrastive, from)},
                 options.target};
  pass.run(
      x.shape()[0], [&](int64_t begin, int64_t end) { return x.slice(begin, end); },
      [&](Execution& e, int64_t begin) { copy_rows(e.gradient(layer), map, begin); });
  return map;
}

OptionSpec excitation_layer_option() {
  return {"layer", std::string(),
          "the layer that the map is of; empty: where branches first meet, or the first pool"};
}

std::optional<std::string> excitation_unsuited(const ImageModel& model, const Shape& input,
                                               const Options& o) {
  const std::string& name = o.text("layer");
  const NodeId layer = layer_of(model.graph(), name);
  auto why = excitation_missing(model.graph(), layer);
  if (!why && model.graph().shapes(input)[static_cast<size_t>(layer)].rank() != 4)
    why = "'" + model.graph().node(layer).name + "' has no places";
  if (why && !name.empty()) throw UsageError("excitation backprop at layer " + name + ": " + *why);
  return why;
}

std::optional<std::string> excitation_unsuited_target(const ImageModel& model, const Target& target,
                                                      const Options& o) {
  const Graph& graph = model.graph();
  const NodeId layer = layer_of(graph, o.text("layer"));
  if (leads_to(graph, layer, target.node(graph))) return std::nullopt;
  return "layer '" + graph.node(layer).name + "' comes after " + target.words() + ": choose an earlier one";
}

Explanation excitation_explanation(const Question& q, const std::string& name,
                                   const ExcitationOptions& options, const std::string& caption) {
  const Graph& graph = q.model.graph();
  const NodeId layer = layer_of(graph, options.layer);
  return {{{name,
            excitation_backprop(q.model, q.input, options).row(0),
            {.style = Picture::Style::evidence, .grid = receptive_centres(graph, layer)},
            caption + " of layer " + graph.node(layer).name + "."}},
          {}};
}

}  // namespace loupe
