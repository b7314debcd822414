#include "engine/methods/attn_lrp.h"

#include "engine/methods/lrp.h"
#include "engine/run/method.h"

namespace loupe {

namespace {

Rule rows() {
  Rule rule = relevance::network_rows();
  relevance::add_transformer_rows(rule);
  rule.name = "attn_lrp";
  return rule;
}

LrpRules rules_of(const AttnLrpOptions& o, const Preprocessing& how) {
  return lrp_rules({.rule = o.rule, .epsilon = o.epsilon, .gamma = o.gamma}, how);
}

AttnLrpOptions chosen(const Options& o) {
  return {.rule = o.text("rule"), .epsilon = o.number("epsilon"), .gamma = o.number("gamma")};
}

Explanation explain(const Question& q, const Options& o) {
  AttnLrpOptions options = chosen(o);
  options.target = q.target;
  const Tensor map = attn_lrp(q.model, q.input, options).row(0);
  double total = 0;
  for (int64_t i = 0; i < map.numel(); ++i) total += map.item(i);
  return {{{"attn_lrp",
            map,
            {.style = Picture::Style::contribution},
            "Red pixels were handed relevance for the class, blue ones against it, through the attention."}},
          {{"relevance", total,
            "of the score, what arrives at the pixels; the rest stayed with biases, places and softmaxes"}}};
}

}  // namespace

std::optional<std::string> attn_lrp_missing(const Graph& graph) {
  return relevance::op_without_row(graph, rows(), "");
}

Tensor attn_lrp(ImageModel& model, const Tensor& x, const AttnLrpOptions& options) {
  expect_images(model, x);
  const Graph& graph = model.graph();
  if (const auto why = attn_lrp_missing(graph))
    throw UsageError("attn_lrp does not suit " + model.name() + ": " + *why);
  const NodeId from = options.target.node(graph);
  return input_signal(model, x, options.target,
                      lrp_rule(rules_of(options, model.preprocessing), graph, from, rows()), {});
}

extern const Method attn_lrp_method;
const Method attn_lrp_method{
    .name = "attn_lrp",
    .summary = "layer-wise relevance propagation with rules for attention and norms, for transformers",
    .source =
        "Achtibat, Hatefi, Dreyer, Jain, Wiegand, Lapuschkin & Samek 2024, AttnLRP: attention-aware "
        "layer-wise "
        "relevance propagation for transformers",
    .options = {{"rule", std::string("epsilon"),
                 "of layers with weights: epsilon, gamma, zplus and the others of --lrp.rule"},
                {"epsilon", 1e-6, "what the rule epsilon adds to denominators", 1e-30, 1e30},
                {"gamma", 0.25, "by how much the rule gamma prefers positive weights", 0.0, 1e6}},
    .unsuited = [](const ImageModel& model, const Shape&, const Options& o) -> std::optional<std::string> {
      const LrpRules rules = rules_of(chosen(o), model.preprocessing);
      if (auto why = attn_lrp_missing(model.graph())) return why;
      lrp_rule(rules, model.graph(), model.graph().output(), rows());  // throws where zbox does not fit
      return std::nullopt;
    },
    .run = explain};

}  // namespace loupe
