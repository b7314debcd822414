#include "engine/methods/lrp.h"
#include "engine/run/method.h"

namespace loupe {

namespace {

LrpOptions chosen(const Options& o) {
  return {.rule = o.text("rule"),
          .composite = o.text("composite"),
          .epsilon = o.number("epsilon"),
          .gamma = o.number("gamma"),
          .alpha = o.number("alpha"),
          .beta = o.number("beta")};
}

Explanation explain(const Question& q, const Options& o) {
  LrpOptions options = chosen(o);
  options.target = q.target;
  const Tensor map = lrp(q.model, q.input, options).row(0);
  double total = 0;
  for (int64_t i = 0; i < map.numel(); ++i) total += map.item(i);
  return {
      {{"lrp",
        map,
        {.style = Picture::Style::contribution},
        "Red pixels were handed relevance for the class, blue ones against it, layer by layer."}},
      {{"relevance", total,
        "of the score, what arrives at the pixels; the rest stayed with biases and with what denominators "
        "are stabilised by"}}};
}

}  // namespace

extern const Method lrp_method;
const Method lrp_method{
    .name = "lrp",
    .summary =
        "layer-wise relevance propagation: the score shared out from layer to layer, down to the pixels, by "
        "rules that can be chosen",
    .source =
        "Bach, Binder, Montavon, Klauschen, Müller & Samek 2015, On pixel-wise explanations for non-linear "
        "classifier decisions by layer-wise relevance propagation",
    .options = {{"rule", std::string(),
                 "of all layers: 0, epsilon, epsilon_025, gamma, zplus, zplus_nobias, alpha_beta, "
                 "alpha2_beta1, flat, wsquare, zbox; empty: by the composite"},
                {"composite", std::string(),
                 "by kind of layer: epsilon_plus, epsilon_plus_flat, epsilon_gamma_box, "
                 "epsilon_alpha2_beta1, epsilon_alpha2_beta1_flat; empty: epsilon_plus_flat"},
                {"epsilon", 1e-6, "what the rule epsilon adds to denominators", 1e-30, 1e30},
                {"gamma", 0.25, "by how much the rule gamma prefers positive weights", 0.0, 1e6},
                {"alpha", 2.0, "of alpha_beta: the weight of what speaks for", 1.0, 1e6},
                {"beta", 1.0, "of alpha_beta: the weight of what speaks against, alpha - 1", 0.0, 1e6}},
    .unsuited = [](const ImageModel& model, const Shape&, const Options& o) -> std::optional<std::string> {
      const LrpRules rules = lrp_rules(chosen(o), model.preprocessing);
      if (auto why = lrp_missing(model.graph())) return why;
      // Throws for a first layer without a box.
      lrp_rule(rules, model.graph(), model.graph().output(), relevance::network_rows());
      return std::nullopt;
    },
    .run = explain};

}  // namespace loupe
