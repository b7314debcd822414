// LRP: a rule for each layer, as rows of the way back.
#include "engine/methods/lrp.h"

#include <algorithm>
#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/common/suggest.h"

namespace loupe {

using relevance::LayerRule;
using Kind = LayerRule::Kind;

namespace {

// Rules and composites by their names; an empty one is another layer's.
struct Composite {
  const char *name, *convolutions, *linear, *first;
};
constexpr Composite kComposites[] = {
    {"epsilon_plus", "zplus", "epsilon", ""},
    {"epsilon_plus_flat", "zplus", "epsilon", "flat"},
    {"epsilon_gamma_box", "gamma", "epsilon", "zbox"},
    {"epsilon_alpha2_beta1", "alpha2_beta1", "epsilon", ""},
    {"epsilon_alpha2_beta1_flat", "alpha2_beta1", "epsilon", "flat"},
};
constexpr const char* kRules[] = {"0",       "zero",         "epsilon",    "epsilon_025",  "gamma",
                                  "zplus",   "zplus_nobias", "alpha_beta", "alpha2_beta1", "flat",
                                  "wsquare", "zbox"};

// Black and white as the network sees them, by channel.
LayerRule box(const Preprocessing& how) {
  LayerRule rule{.kind = Kind::z_box};
  for (size_t c = 0; c < static_cast<size_t>(std::min<int64_t>(how.channels, 3)); ++c) {
    const double mean = how.mean[c], std = how.std[c];
    rule.low.push_back((0 - mean) / std);
    rule.high.push_back((1 - mean) / std);
  }
  return rule;
}

// Of a name in kRules.
LayerRule layer_rule(const std::string& name, const LrpOptions& o, const Preprocessing& how) {
  if (name == "0" || name == "zero") return {.kind = Kind::epsilon, .epsilon = 0};
  if (name == "epsilon") return {.kind = Kind::epsilon, .epsilon = o.epsilon};
  if (name == "epsilon_025") return {.kind = Kind::epsilon, .epsilon = 0.25};
  if (name == "gamma") return {.kind = Kind::gamma, .gamma = o.gamma};
  if (name == "flat") return {.kind = Kind::flat};
  if (name == "wsquare") return {.kind = Kind::w_square};
  if (name == "zbox") return box(how);
  LayerRule rule{.kind = Kind::alpha_beta, .bias = name != "zplus_nobias"};
  if (name == "alpha2_beta1") rule.alpha = 2, rule.beta = 1;
  if (name == "alpha_beta") rule.alpha = o.alpha, rule.beta = o.beta;
  return rule;
}

[[noreturn]] void unknown(const char* what, const std::string& name, const std::vector<std::string>& names) {
  std::string text =
      std::string("lrp has no ") + what + " '" + name + "'" + did_you_mean(name, names) + ": there are";
  for (const std::string& n : names) text += " " + n;
  throw UsageError(text);
}

}  // namespace

LrpRules lrp_rules(const LrpOptions& o, const Preprocessing& how) {
  if (!o.rule.empty() && !o.composite.empty())
    throw UsageError("lrp takes a rule or a composite, not both: " + o.rule + " and " + o.composite);
  if (std::abs(o.alpha - o.beta - 1) > 1e-9)
    throw UsageError("lrp.alpha less lrp.beta must be 1, so that relevance is kept; they are " +
                     std::to_string(o.alpha) + " and " + std::to_string(o.beta));
  if (!o.rule.empty()) {
    if (std::ranges::count(kRules, o.rule) == 0)
      unknown("rule", o.rule, {std::begin(kRules), std::end(kRules)});
    const LayerRule rule = layer_rule(o.rule, o, how);
    if (rule.kind != Kind::z_box) return {.convolutions = rule, .linear = rule};
    const LayerRule others = layer_rule("epsilon", o, how);
    return {.convolutions = others, .linear = others, .first = rule};
  }
  const std::string name = o.composite.empty() ? "epsilon_plus_flat" : o.composite;
  const auto found = std::ranges::find_if(kComposites, [&](const Composite& c) { return c.name == name; });
  if (found == std::end(kComposites)) {
    std::vector<std::string> names;
    for (const Composite& c : kComposites) names.emplace_back(c.name);
    unknown("composite", name, names);
  }
  LrpRules rules{.convolutions = layer_rule(found->convolutions, o, how),
                 .linear = layer_rule(found->linear, o, how)};
  if (*found->first) rules.first = layer_rule(found->first, o, how);
  return rules;
}

Rule lrp_rule(const LrpRules& rules, const Graph& graph, NodeId from, Rule rule) {
  const std::vector<NodeId> first = relevance::first_layers(graph);
  const auto rule_of = [&](NodeId n) -> const LayerRule& {
    if (rules.first && std::ranges::count(first, n) > 0) return *rules.first;
    return graph.node(n).op->kind().name == "linear" ? rules.linear : rules.convolutions;
  };
  const auto times_input = [&](NodeId n) {
    const Kind kind = rule_of(n).kind;
    return kind == Kind::epsilon || kind == Kind::gamma || kind == Kind::alpha_beta;
  };
  const std::vector<bool> non_negative = relevance::non_negative(graph),
                          positive = relevance::positive_outputs(graph, from, times_input);
  rule.name += " " + rules.convolutions.key() + ", linear " + rules.linear.key();
  if (rules.first) rule.name += ", first " + rules.first->key();
  for (const NodeId n : relevance::layers_with_weights(graph)) {
    if (n > from) break;
    const relevance::Surroundings where{
        .non_negative_input = non_negative[static_cast<size_t>(graph.node(n).inputs[0].node)],
        .positive_outputs = positive[static_cast<size_t>(n)]};
    rule.nodes[graph.node(n).name] = relevance::layer_row(rule_of(n), graph, n, where);
  }
  return relevance::starting_with_value(std::move(rule), graph, from);
}

std::optional<std::string> lrp_missing(const Graph& graph) {
  return relevance::op_without_row(graph, relevance::network_rows(), "; attn_lrp has more rules");
}

Tensor lrp(ImageModel& model, const Tensor& x, const LrpOptions& options) {
  expect_images(model, x);
  const LrpRules rules = lrp_rules(options, model.preprocessing);
  const Graph& graph = model.graph();
  if (const auto why = lrp_missing(graph))
    throw UsageError("lrp does not suit " + model.name() + ": " + *why);
  // LRP-0 has no stabiliser anywhere.
  const bool zero = rules.convolutions.kind == Kind::epsilon && rules.convolutions.epsilon == 0;
  Rule others = relevance::network_rows(zero ? 0 : relevance::kStabiliser);
  others.name = "lrp";
  return input_signal(model, x, options.target,
                      lrp_rule(rules, graph, options.target.node(graph), std::move(others)), {});
}

namespace {

// A parameter that a bias is the gradient of, and what is added to each channel where it works.
struct Bias {
  NodeId parameter;
  std::vector<double> of_channel;
};

std::vector<Bias> biases(const Network& net, NodeId from) {
  const Graph& graph = net.graph();
  std::vector<Bias> list;
  const auto add = [&](NodeId parameter, std::vector<double> of_channel) {  // a shared one once
    if (std::ranges::count(list, parameter, &Bias::parameter) == 0)
      list.push_back({parameter, std::move(of_channel)});
  };
  for (NodeId n = 0; n <= from; ++n) {
    const Node& node = graph.node(n);
    const auto numbers = [&](size_t i) {
      const Node& p = graph.node(node.inputs[i].node);
      const Tensor t = (p.kind == Node::Kind::constant ? p.value : net.parameter(p.name)).to(Dtype::f64);
      return std::vector<double>(t.values<const double>().begin(), t.values<const double>().end());
    };
    if (node.op && node.op->kind().name == "batch_norm") {
      std::vector<double> shift = numbers(2);
      const std::vector<double> scale = numbers(1), mean = numbers(3), variance = numbers(4);
      for (size_t c = 0; c < shift.size(); ++c)
        shift[c] -= mean[c] * scale[c] / std::sqrt(variance[c] + batch_norm_eps(*node.op));
      add(node.inputs[2].node, std::move(shift));
    } else if (relevance::has_weights(node) && node.inputs.size() > 2) {
      add(node.inputs[2].node, numbers(2));
    }
  }
  return list;
}

double dot(const Tensor& a, std::span<const double> b) {
  double sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += a.item(i) * b[static_cast<size_t>(i)];
  return sum;
}

}  // namespace

GradientShares gradient_shares(Network& net, const Tensor& x, const Target& target) {
  expect_images(net, x);
  const NodeId input = net.graph().inputs()[0];
  const NodeId from = target.node(net.graph());
  const Target all_images = settled(net, x, target);
  const std::vector<Bias> all = biases(net, from);
  Purpose purpose{.gradients = {input}};
  for (const Bias& b : all) purpose.gradients.push_back(b.parameter);
  GradientShares shares;
  for (int64_t n = 0; n < x.shape()[0]; ++n) {  // a parameter's gradient is that of all images of a pass
    const Tensor image = x.slice(n, n + 1), numbers = image.to(Dtype::f64);
    ScorePass pass{net, image.shape(), purpose, all_images.image(n)};
    pass.run(
        1, [&](int64_t, int64_t) { return image; },
        [&](Execution& e, int64_t) {
          shares.input.push_back(dot(e.gradient(input), numbers.values<const double>()));
          double sum = 0;
          for (const Bias& b : all) sum += dot(e.gradient(b.parameter), b.of_channel);
          shares.biases.push_back(sum);
        });
  }
  return shares;
}

}  // namespace loupe
