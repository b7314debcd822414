#include "engine/methods/path_options.h"

#include <cmath>
#include <cstdio>

namespace loupe {

namespace {
std::string short_number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", v);
  return text;
}
}  // namespace

std::vector<OptionSpec> path_specs() {
  return {{"rule", std::string("gauss_legendre"), std::string("how the integral is computed: ") + kPathRules},
          {"steps", int64_t{50}, "points of gauss_legendre, or intervals of the other rules but adaptive", 1,
           100000},
          baseline_option("zero"),
          noise_option(),
          {"tolerance", 0.001,
           "rule adaptive: bisect until what intervals miss adds up to this part of the scores' difference",
           0, 1e6},
          {"max_steps", int64_t{1000}, "rule adaptive: gradients at most", 1, 1000000}};
}

PathOptions path_options(const Options& o) {
  return {o.text("rule"), o.integer("steps"), o.number("tolerance"), o.integer("max_steps")};
}

PathMean over_baselines(const Question& q, const Options& o, const std::string& method,
                        const std::function<PathResult(const Tensor&, const Progress&)>& from_one) {
  const PathOptions how = path_options(o);
  check(how);
  const std::vector<Baseline> set =
      baselines(q.model, q.input, o.text("baseline"), "--" + method + ".baseline",
                Draws(o.text("noise"), "--" + method + ".noise"));
  const auto count = static_cast<double>(set.size());
  PathMean mean;
  double residual = 0, difference = 0, missed = 0;
  int64_t gradients = 0;
  Tensor sum;
  for (size_t b = 0; b < set.size(); ++b) {
    const PathResult r = from_one(set[b].values, [&](double part) {
      if (q.progress) q.progress((static_cast<double>(b) + part) / count);
    });
    if (!sum.defined()) sum = Tensor::zeros(Dtype::f64, r.attribution.shape());
    for (int64_t i = 0; i < sum.numel(); ++i)
      sum.values<double>()[static_cast<size_t>(i)] += r.attribution.item(i) / count;
    const double own = r.scores[0] - r.from_scores[0];
    residual += r.residuals[0] / count;
    difference += own / count;
    gradients += r.gradients[0];
    if (how.rule != "adaptive") continue;
    missed += r.interval_residuals[0] / count;
    if (!r.met)
      mean.unmet.push_back(
          "--" + method + ".tolerance " + short_number(how.tolerance) + " is not met from baseline " +
          set[b].name + ": with " + std::to_string(r.gradients[0]) +
          " gradients the intervals' residuals add up to " + short_number(r.interval_residuals[0]) +
          ", which is " + short_number(r.interval_residuals[0] / std::abs(own)) +
          " of the scores' difference; the best result was written (--" + method + ".max_steps)");
  }
  mean.attribution = sum.to(q.model.device().compute_dtype()).row(0);
  mean.checks.push_back({"completeness_residual", residual,
                         "sum of all shares minus the difference of the scores, " +
                             std::to_string(difference) +
                             ": the error of a rule of so many steps, which vanishes as they become very "
                             "many, but not evenly: a few more "
                             "can make it larger"});
  if (how.rule != "adaptive") return mean;
  mean.checks.push_back(
      {"interval_residual", missed,
       "what the halves of every interval differ by from what it says of them, added up without signs"});
  mean.checks.push_back(
      {"gradients", static_cast<double>(gradients), "intervals, each of which took one gradient"});
  mean.notes.push_back("The integral took " + std::to_string(gradients) + " gradients.");
  return mean;
}

}  // namespace loupe
