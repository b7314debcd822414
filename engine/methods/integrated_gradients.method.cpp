// Integrated gradients: gradients along the straight way from a baseline to the image, added up. The shares
// then sum to the difference of the two scores; by how much they do not is reported as the residual.
#include <cmath>

#include "engine/methods/baseline.h"
#include "engine/methods/integrated_gradients.h"
#include "engine/run/method.h"
#include "engine/run/quadrature.h"

namespace loupe {

IntegratedGradientsResult integrated_gradients(Network& net, const Tensor& x,
                                               const IntegratedGradientsOptions& options) {
  expect_images(net, x);
  const Quadrature rule = gauss_legendre(options.steps);
  const Tensor end_point = x.to(Dtype::f64);
  Tensor start = options.baseline.defined() ? options.baseline.to(Dtype::f64)
                                            : Tensor::zeros(Dtype::f64, x.shape().with(0, 1));
  if (start.shape() != x.shape() && start.shape() != x.shape().with(0, 1))
    throw UsageError("the baseline of integrated gradients is " + start.shape().str() +
                     ", but the images are " + x.shape().str());
  const int64_t images = x.shape()[0], size = x.numel() / images, steps = options.steps;
  if (start.shape() != x.shape()) start = stack_rows(std::vector<Tensor>(static_cast<size_t>(images), start));

  // The class of an image is that of its end point, all the way.
  const Target target = settled(net, x, options.target);
  const auto scores = [&](const Tensor& of) {
    return forward_scores(
               net, x.shape(), images, [&](int64_t begin, int64_t end) { return of.slice(begin, end); },
               target)
        .scores;
  };
  IntegratedGradientsResult result;
  result.scores = scores(x);
  result.baseline_scores = scores(start);

  // Row n·steps + k of the job is step k of image n. Sums are in double and in the order of steps, so batches
  // do not matter.
  const auto from = start.values<double>(), to = end_point.values<double>();
  const auto rows = [&](int64_t begin, int64_t end) {
    Tensor points(Dtype::f64, x.shape().with(0, end - begin));
    const auto p = points.values<double>();
    for (int64_t row = begin; row < end; ++row) {
      const double alpha = rule.points[static_cast<size_t>(row % steps)];
      for (int64_t i = 0, at = row / steps * size; i < size; ++i)
        p[static_cast<size_t>((row - begin) * size + i)] = from[at + i] + alpha * (to[at + i] - from[at + i]);
    }
    return points;
  };
  const Tensor sums = Tensor::zeros(Dtype::f64, x.shape());
  const auto sum = sums.values<double>();
  const NodeId input = net.graph().inputs()[0];
  ScorePass pass{net,           x.shape(),       {.gradients = {input}}, target.repeated(steps),
                 options.probe, options.progress};
  pass.run(images * steps, rows, [&](Execution& e, int64_t begin) {
    const Tensor gradients = e.gradient(input).to(Dtype::f64);
    const auto g = gradients.values<double>();
    for (int64_t row = begin; row < begin + gradients.shape()[0]; ++row) {
      const double weight = rule.weights[static_cast<size_t>(row % steps)];
      for (int64_t i = 0, at = row / steps * size; i < size; ++i)
        sum[at + i] += weight * g[static_cast<size_t>((row - begin) * size + i)];
    }
  });

  for (int64_t n = 0; n < images; ++n) {
    double total = 0;
    for (int64_t i = n * size; i < (n + 1) * size; ++i) {
      sum[i] *= to[i] - from[i];
      total += sum[i];
    }
    const auto at = static_cast<size_t>(n);
    result.residuals.push_back(total - (result.scores[at] - result.baseline_scores[at]));
  }
  result.attribution = sums.to(net.device().compute_dtype());
  return result;
}

extern const Method integrated_gradients_method;
const Method integrated_gradients_method{
    .name = "integrated_gradients",
    .summary = "gradients added up along the way from a baseline: shares that sum to the score's difference",
    .source = "Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks",
    .options = {{"steps", int64_t{50}, "points of the Gauss-Legendre rule", 1, 10000},
                baseline_option("zero"),
                noise_option()},
    .run = [](const Question& q, const Options& o) -> Explanation {
      const std::vector<Baseline> set =
          baselines(q.model, q.input, o.text("baseline"), "--integrated_gradients.baseline",
                    Draws(o.text("noise"), "--integrated_gradients.noise"));
      const auto count = static_cast<double>(set.size());
      const Tensor mean = Tensor::zeros(Dtype::f64, q.input.shape());
      double residual = 0, difference = 0;
      for (size_t b = 0; b < set.size(); ++b) {
        const IntegratedGradientsResult r = integrated_gradients(
            q.model, q.input,
            {.target = q.target,
             .steps = o.integer("steps"),
             .baseline = set[b].values,
             .progress = [&](double part) { q.progress((static_cast<double>(b) + part) / count); }});
        for (int64_t i = 0; i < mean.numel(); ++i)
          mean.values<double>()[static_cast<size_t>(i)] += r.attribution.item(i) / count;
        residual += r.residuals[0] / count;
        difference += (r.scores[0] - r.baseline_scores[0]) / count;
      }
      return {
          {{"integrated_gradients",
            mean.to(q.model.device().compute_dtype()).row(0),
            {.style = Picture::Style::contribution},
            "Red pixels raise the score above the baseline's and blue ones lower it; together they make "
            "up the difference."}},
          {{"completeness_residual", residual,
            "sum of all shares minus the difference of the scores, " + std::to_string(difference) +
                ": the error of a rule of so many steps, which vanishes as they become very many, but not "
                "evenly: a few more can make it larger"}}};
    }};

}  // namespace loupe
