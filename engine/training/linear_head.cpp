#include "engine/training/linear_head.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/training/initial_weights.h"
#include "kernels/common/draws.h"
#include "kernels/linear/linear.h"

namespace loupe {

namespace {
// What brings each feature to mean 0 and deviation 1: x ↦ (x − mean)·scale.
struct Standard {
  std::vector<double> mean, scale;
};

Standard standard_of(const Tensor& features) {
  const int64_t count = features.shape()[0], size = features.shape()[1];
  Standard s{std::vector<double>(static_cast<size_t>(size), 0.0),
             std::vector<double>(static_cast<size_t>(size))};
  for (int64_t k = 0; k < size; ++k) {
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < count; ++n) sum += features.item(n * size + k);
    const double mean = sum / static_cast<double>(count);
    for (int64_t n = 0; n < count; ++n) squares += std::pow(features.item(n * size + k) - mean, 2);
    const double deviation = std::sqrt(squares / static_cast<double>(count));
    s.mean[static_cast<size_t>(k)] = mean;
    // One that is the same everywhere tells nothing, and is left at 0.
    s.scale[static_cast<size_t>(k)] = deviation > 1e-6 * std::abs(mean) ? 1 / deviation : 0;
  }
  return s;
}

// Every row once, in an order of this turn's own.
std::vector<int64_t> shuffled(const Draws& draws, int64_t turn, int64_t count) {
  std::vector<double> keys(static_cast<size_t>(count));
  draws.uniforms("linear_head.order." + std::to_string(turn), keys);
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](int64_t n) { return keys[static_cast<size_t>(n)]; });
  return order;
}
}  // namespace

LinearHead train_linear_head(const Tensor& features, std::span<const int64_t> classes, int64_t class_count,
                             Device device, const TrainingSettings& settings, uint64_t seed,
                             const std::function<void(const StepReport&)>& after_step) {
  const int64_t count = features.shape()[0], size = features.shape()[1];
  if (std::ssize(classes) != count)
    throw UsageError(std::to_string(classes.size()) + " classes do not fit " + std::to_string(count) +
                     " rows of features");
  const Standard standard = standard_of(features);
  Graph graph;
  const NodeId x = graph.input("features", {1, size});
  graph.add("fc", linear({.out_features = class_count}), {x});
  Trainer trainer("the head", classification_graph(graph, settings.label_smoothing),
                  initial_weights(graph, seed), device, settings);

  const Draws draws(std::to_string(seed), "seed");
  std::vector<int64_t> order;
  int64_t turn = 0;
  size_t at = 0;
  double loss = 0;
  for (int64_t step = 0; step < settings.steps; ++step) {
    Batch batch{Tensor(Dtype::f32, {settings.batch, size}), {}};
    for (int64_t row = 0; row < settings.batch; ++row, ++at) {
      if (at == order.size()) order = shuffled(draws, turn++, count), at = 0;
      const int64_t n = order[at];
      batch.classes.push_back(classes[static_cast<size_t>(n)]);
      for (int64_t k = 0; k < size; ++k)
        batch.input.values<float>()[static_cast<size_t>(row * size + k)] =
            static_cast<float>((features.item(n * size + k) - standard.mean[static_cast<size_t>(k)]) *
                               standard.scale[static_cast<size_t>(k)]);
    }
    const StepReport report = trainer.step(batch);
    const double keep = std::min(0.95, 1 - 1 / static_cast<double>(step + 1));
    loss = keep * loss + (1 - keep) * report.loss;
    if (after_step) after_step(report);
  }

  // w·(x − mean)·scale + b of the features as they are.
  const std::map<std::string, Tensor> learned = trainer.parameters();
  const Tensor &w = learned.at("fc.weight"), &b = learned.at("fc.bias");
  LinearHead head{Tensor(Dtype::f32, w.shape()), Tensor(Dtype::f32, b.shape()), loss};
  for (int64_t c = 0; c < class_count; ++c) {
    double bias = b.item(c);
    for (int64_t k = 0; k < size; ++k) {
      const double weight = w.item(c * size + k) * standard.scale[static_cast<size_t>(k)];
      head.weight.values<float>()[static_cast<size_t>(c * size + k)] = static_cast<float>(weight);
      bias -= weight * standard.mean[static_cast<size_t>(k)];
    }
    head.bias.values<float>()[static_cast<size_t>(c)] = static_cast<float>(bias);
  }
  return head;
}

Tensor features_of(Network& net, NodeId node, const Tensor& x) {
  const Purpose purpose{.values = {node}};
  Tensor all;
  in_batches(net, x.shape(), x.shape()[0], purpose, {}, [&](int64_t begin, int64_t end) {
    Execution& pass = net.execution(x.shape().with(0, end - begin), purpose);
    pass.forward(x.slice(begin, end));
    const Tensor values = pass.value(node);
    if (!all.defined()) all = Tensor(values.dtype(), values.shape().with(0, x.shape()[0]));
    copy_rows(values, all, begin);
  });
  return all;
}

}  // namespace loupe
