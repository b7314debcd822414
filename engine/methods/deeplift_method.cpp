#include "engine/methods/deeplift_method.h"

#include "engine/methods/baseline.h"
#include "engine/methods/deeplift.h"
#include "engine/methods/deeplift_rules.h"

namespace loupe {

namespace {

DeepLiftOptions::Rule rule_named(std::string_view method, const std::string& text) {
  if (text == "rescale") return DeepLiftOptions::Rule::rescale;
  if (text == "reveal_cancel") return DeepLiftOptions::Rule::reveal_cancel;
  throw UsageError("--" + std::string(method) + ".rule is rescale or reveal_cancel, not '" + text + "'");
}

Explanation explain(std::string_view method, const Question& q, const Options& o) {
  const std::string name(method), option = "--" + name + ".baseline";
  std::vector<Tensor> from;
  std::string names;
  for (const Baseline& b : baselines(q.model, q.input, o.text("baseline"), option,
                                     Draws(o.text("noise"), "--" + name + ".noise"))) {
    from.push_back(b.values);
    names += (names.empty() ? "" : ", ") + b.name;
  }
  const DeepLiftResult r = deeplift(q.model, q.input,
                                    {.target = q.target,
                                     .rule = rule_named(method, o.text("rule")),
                                     .baselines = from,
                                     .progress = q.progress});
  return {{{name,
            r.attribution.row(0),
            {.style = Picture::Style::contribution},
            "Red pixels raise the score above that of the baseline (" + names +
                ") and blue ones lower it; together they make up the difference."}},
          {{"completeness_residual", r.residuals[0],
            "sum of all shares minus the difference of the scores, " +
                std::to_string(r.scores[0] - r.baseline_scores[0]) + ": nothing but rounding"}}};
}

}  // namespace

Method deeplift_method_with(std::string_view name, std::string_view summary, std::string_view source,
                            const std::string& usual) {
  return {.name = name,
          .summary = summary,
          .source = source,
          .options =
              {{"rule", std::string("rescale"),
                "how functions share a difference out: rescale, by its part of the whole, or reveal_cancel, "
                "which looks at what raises and what lowers their inputs apart"},
               baseline_option(usual),
               noise_option()},
          .unsuited = [name](const ImageModel& model, const Shape&,
                             const Options& o) -> std::optional<std::string> {
            const auto rule = rule_named(name, o.text("rule"));
            if (model.network.batch_limit == 1)
              return "it looks at an input and its baseline in one batch, and the network takes one image at "
                     "a time";
            return deeplift_unsuited(model.graph(), model.graph().output(),
                                     rule == DeepLiftOptions::Rule::reveal_cancel);
          },
          .run = [name](const Question& q, const Options& o) { return explain(name, q, o); }};
}

}  // namespace loupe
