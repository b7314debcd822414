// Integrated gradients: gradients along the straight way from a baseline to the image, added up. The shares
// then sum to the difference of the two scores; by how much they do not is reported as the residual.
#include "engine/methods/integrated_gradients.h"

#include "engine/methods/path_options.h"
#include "engine/run/method.h"

namespace loupe {

namespace {
PathResult from_baseline(Network& net, const Tensor& x, const IntegratedGradientsOptions& o) {
  expect_images(net, x);
  check(o.path());
  Tensor start = o.baseline.defined() ? o.baseline : Tensor::zeros(Dtype::f64, x.shape().with(0, 1));
  if (start.shape() != x.shape() && start.shape() != x.shape().with(0, 1))
    throw UsageError("the baseline of integrated gradients is " + start.shape().str() +
                     ", but the images are " + x.shape().str());
  if (start.shape() != x.shape())
    start = stack_rows(std::vector<Tensor>(static_cast<size_t>(x.shape()[0]), start));
  const Target target = settled(net, x, o.target);
  return PathIntegral{.net = net,
                      .x = x,
                      .target = target,
                      .at = net.graph().inputs()[0],
                      .from = start,
                      .to = x,
                      .options = o.path(),
                      .probe = o.probe,
                      .progress = o.progress}
      .run();
}
}  // namespace

IntegratedGradientsResult integrated_gradients(Network& net, const Tensor& x,
                                               const IntegratedGradientsOptions& options) {
  PathResult r = from_baseline(net, x, options);
  return {r.attribution.to(net.device().compute_dtype()),
          std::move(r.scores),
          std::move(r.from_scores),
          std::move(r.residuals),
          std::move(r.interval_residuals),
          std::move(r.gradients),
          r.met};
}

extern const Method integrated_gradients_method;
const Method integrated_gradients_method{
    .name = "integrated_gradients",
    .summary = "gradients added up along the way from a baseline: shares that sum to the score's difference",
    .source =
        "Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks; from a set of baselines: "
        "Erion et "
        "al. 2021, Improving performance of deep learning models with axiomatic attribution priors and "
        "expected "
        "gradients",
    .options = path_specs(),
    .run = [](const Question& q, const Options& o) -> Explanation {
      const PathOptions how = path_options(o);
      PathMean mean =
          over_baselines(q, o, "integrated_gradients", [&](const Tensor& b, const Progress& progress) {
            return from_baseline(q.model, q.input,
                                 {.target = q.target,
                                  .steps = how.steps,
                                  .baseline = b,
                                  .progress = progress,
                                  .rule = how.rule,
                                  .tolerance = how.tolerance,
                                  .max_steps = how.max_steps});
          });
      Explanation answer{
          {{"integrated_gradients",
            mean.attribution,
            {.style = Picture::Style::contribution},
            "Red pixels raise the score above the baseline's and blue ones lower it; together they make "
            "up the difference."}},
          std::move(mean.checks),
          std::move(mean.notes)};
      answer.unmet = std::move(mean.unmet);
      return answer;
    }};

}  // namespace loupe
