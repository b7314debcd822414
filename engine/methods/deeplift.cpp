#include "engine/methods/deeplift.h"

#include "engine/methods/deeplift_rules.h"

namespace loupe {

namespace {

// In double, each like x or (1, …).
std::vector<Tensor> checked_baselines(const std::vector<Tensor>& given, const Tensor& x) {
  std::vector<Tensor> baselines;
  for (const Tensor& b : given) {
    if (b.shape() != x.shape() && b.shape() != x.shape().with(0, 1))
      throw UsageError("a baseline of DeepLIFT is " + b.shape().str() + ", but the images are " +
                       x.shape().str());
    baselines.push_back(b.to(Dtype::f64));
  }
  if (baselines.empty()) baselines.push_back(Tensor::zeros(Dtype::f64, x.shape().with(0, 1)));
  return baselines;
}

Rule rule_of(const DeepLiftOptions& options, const Graph& graph) {
  return options.rule == DeepLiftOptions::Rule::rescale ? deeplift_rescale_rule()
                                                        : deeplift_reveal_cancel_rule(graph);
}

}  // namespace

DeepLiftResult deeplift(Network& net, const Tensor& x, const DeepLiftOptions& options) {
  expect_images(net, x);
  const Graph& graph = net.graph();
  const NodeId node = options.target.node(graph), input = graph.inputs()[0];
  if (const auto why = deeplift_unsuited(graph, node, options.rule == DeepLiftOptions::Rule::reveal_cancel))
    throw UsageError(*why);
  const Tensor points = x.to(Dtype::f64);
  const std::vector<Tensor> baselines = checked_baselines(options.baselines, x);
  const int64_t images = x.shape()[0], size = x.numel() / images, count = std::ssize(baselines);
  const auto parts = static_cast<double>(count);
  const auto baseline = [&](int64_t pair) {
    const Tensor& all = baselines[static_cast<size_t>(pair % count)];
    return all.row(all.shape()[0] == 1 ? 0 : pair / count);
  };
  const auto rows = [&](int64_t begin, int64_t end) {
    Tensor batch(Dtype::f64, x.shape().with(0, end - begin));
    for (int64_t r = begin; r < end; ++r)  // pair after pair, an image's together
      std::ranges::copy((r % 2 ? baseline(r / 2) : points.row(r / 2 / count)).values<double>(),
                        batch.row(r - begin).values<double>().begin());
    return batch;
  };

  DeepLiftResult result;
  result.scores.resize(static_cast<size_t>(images));
  result.baseline_scores.resize(static_cast<size_t>(images));
  const Tensor sums = Tensor::zeros(Dtype::f64, x.shape());
  const Target target = settled(net, x, options.target).repeated(2 * count);
  ScorePass pass{net, x.shape(), {}, target};
  pass.purpose = {.gradients = {input}, .rule = rule_of(options, graph)};
  pass.progress = options.progress;
  pass.together = 2;
  pass.run(images * count * 2, rows, [&](Execution& e, int64_t begin) {
    const Tensor multipliers = e.gradient(input).to(Dtype::f64);
    const std::vector<double> scores = target.scores(e.value(node), begin);
    for (int64_t r = begin; r < begin + multipliers.shape()[0]; ++r) {
      const int64_t n = r / 2 / count;
      const bool is_input = r % 2 == 0;
      (is_input ? result.scores : result.baseline_scores)[static_cast<size_t>(n)] +=
          scores[static_cast<size_t>(r - begin)] / parts;
      if (!is_input) continue;
      const Tensor from = baseline(r / 2);
      const auto to = points.row(n).values<double>(), b = from.values<double>();
      const auto m = multipliers.row(r - begin).values<double>(), sum = sums.row(n).values<double>();
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += m[i] * (to[i] - b[i]) / parts;
    }
  });
  for (int64_t n = 0; n < images; ++n) {
    const auto at = static_cast<size_t>(n);
    double total = 0;
    for (int64_t i = 0; i < size; ++i) total += sums.values<double>()[static_cast<size_t>(n * size + i)];
    result.residuals.push_back(total - (result.scores[at] - result.baseline_scores[at]));
  }
  result.attribution = sums.to(net.device().compute_dtype());
  return result;
}

}  // namespace loupe
