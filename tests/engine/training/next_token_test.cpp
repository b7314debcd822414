// A small attention-only model that learns to say the next token: its gradients on every backend, and what is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "engine/training/initial_weights.h"
#include "engine/training/trainer.h"
#include "kernels/linear/linear.h"
#include "models/text/text_model.h"
#include "tests/support/device.h"

namespace loupe::test {
namespace {

constexpr int64_t kTokens = 11, kLength = 9;

Graph small_text() { return text_graph(attention_only(2, kTokens, kLength, 8, 2)); }

Batch tokens(int64_t step, int64_t count = 3) {
  Batch b{Tensor(Dtype::i32, {count, kLength}), {}};
  for (int64_t i = 0; i < count * kLength; ++i) {
    b.input.values<int32_t>()[static_cast<size_t>(i)] =
        static_cast<int32_t>((i * i + 3 * step + i) % kTokens);
    b.classes.push_back((i * 7 + step) % kTokens);
  }
  return b;
}

// Mean loss of a batch, and the gradients of the parameters.
struct Pass {
  Pass(Device device, const std::map<std::string, Tensor>& parameters)
      : graph(next_token_graph(small_text())), network("small", graph.graph, parameters, device) {}
  double loss(const Batch& b) {
    const Tensor targets = graph.targets(b);
    Execution& e = network.execution({b.input.shape(), targets.shape()},
                                     {.values = {graph.loss}, .from = graph.loss, .parameters = true});
    e.forward({b.input, targets});
    const Tensor losses = e.value(graph.loss);
    double sum = 0;
    Tensor seed(Dtype::f64, losses.shape());
    for (int64_t n = 0; n < losses.numel(); ++n) {
      sum += losses.item(n) / static_cast<double>(losses.numel());
      seed.values<double>()[static_cast<size_t>(n)] = 1 / static_cast<double>(losses.numel());
    }
    e.backward(seed);
    for (const NodeId p : graph.graph.parameters())
      gradients[graph.graph.node(p).name] = e.gradient(p).to(Dtype::f64);
    return sum;
  }
  TrainingGraph graph;
  Network network;
  std::map<std::string, Tensor> gradients = {};
};

TEST_CASE("next tokens: every parameter's gradient agrees with finite differences") {
  const auto weights = initial_weights(small_text(), 3);
  Pass pass(Device::ref(), weights);
  pass.loss(tokens(0));
  const auto gradients = pass.gradients;
  CHECK(gradients.size() == weights.size());
  for (const auto& [name, gradient] : gradients)
    for (int64_t i = 0; i < gradient.numel(); i += std::max<int64_t>(1, gradient.numel() / 7)) {
      CAPTURE(name);
      CAPTURE(i);
      const auto loss_at = [&](double step) {
        Tensor moved = weights.at(name).to(Dtype::f64).clone();
        moved.values<double>()[static_cast<size_t>(i)] += step;
        pass.network.set_parameter(name, moved);
        pass.network.parameters_changed();
        return pass.loss(tokens(0));
      };
      const double h = 1e-5, slope = (loss_at(h) - loss_at(-h)) / (2 * h);
      loss_at(0);
      // The difference quotient's own error: h² of the third derivative, and rounding over h.
      CHECK(std::abs(gradient.item(i) - slope) < 1e-7 * (1 + std::abs(slope)));
    }
}

TEST_CASE("next tokens: gradients on cpu and sim agree with the reference") {
  const auto weights = initial_weights(small_text(), 3);
  Pass reference(Device::ref(), weights);
  const double loss = reference.loss(tokens(1));
  for (const Backend backend : host_and_simulator()) {
    CAPTURE(backend_name(backend));
    Pass pass(Device{backend}, weights);
    // float32's rounding, 2⁻²⁴, grows with the lengths of the sums on the way: a few hundred of it.
    CHECK(pass.loss(tokens(1)) == doctest::Approx(loss).epsilon(300 * 0x1p-24));
    for (const auto& [name, gradient] : reference.gradients) {
      CAPTURE(name);
      double difference = 0, size = 0;
      for (int64_t i = 0; i < gradient.numel(); ++i) {
        difference += std::pow(gradient.item(i) - pass.gradients.at(name).item(i), 2);
        size += std::pow(gradient.item(i), 2);
      }
      CHECK(std::sqrt(difference / size) < 300 * 0x1p-24);
    }
  }
}

TEST_CASE("next tokens: a model learns a sequence by heart, and goes on from its state to the same bits") {
  const TrainingSettings settings{.steps = 60, .rate = 0.02, .warmup = 5};
  const auto trainer = [&] {
    return Trainer("small", next_token_graph(small_text()), initial_weights(small_text(), 1), Device::cpu(),
                   settings);
  };
  Trainer whole = trainer(), half = trainer();
  double first = 0, last = 0, accuracy = 0;
  for (int64_t step = 0; step < 60; ++step) {
    if (step == 30) half.restore(whole.state());
    const StepReport r = whole.step(tokens(0));
    if (step >= 30) half.step(tokens(0));
    if (step == 0) first = r.loss;
    last = r.loss;
    accuracy = r.accuracy;
  }
  CHECK(last < first / 2);
  CHECK(accuracy > 0.5);
  const TrainingState a = whole.state(), b = half.state();
  for (const auto& [name, tensor] : a.tensors)
    CHECK(std::memcmp(tensor.raw(), b.tensors.at(name).raw(), static_cast<size_t>(tensor.bytes())) == 0);
}

TEST_CASE("next tokens: what cannot be trained so is refused") {
  Graph rows;
  rows.add("fc", linear({.out_features = 3}), {rows.input("input", {1, 4})});
  CHECK_THROWS_WITH_AS(next_token_graph(rows), doctest::Contains("(N, L, vocabulary), not (1, 3)"),
                       UsageError);
  const TrainingGraph graph = next_token_graph(small_text());
  Batch beyond = tokens(0);
  beyond.classes[4] = kTokens;
  CHECK_THROWS_WITH_AS(graph.targets(beyond), doctest::Contains("no class 11"), UsageError);
}

}  // namespace
}  // namespace loupe::test
