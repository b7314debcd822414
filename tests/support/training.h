// A small network to train, on any device, and what its training must be like there.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "engine/training/initial_weights.h"
#include "engine/training/trainer.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace loupe::test {

// What a residual network is made of, in small: (1, 3, 10, 9) → 4 classes.
inline Graph small_graph() {
  Graph g;
  NodeId x = g.input("input", {1, 3, 10, 9});
  x = g.add("conv1", conv2d({.out_channels = 6, .kernel = 3, .bias = false}), {x});
  x = g.add("bn1", batch_norm(), {x});
  x = g.add("relu1", relu(), {x});
  const NodeId skip = x = g.add("pool", max_pool2d({.kernel = 3, .stride = 2}), {x});
  x = g.add("conv2", conv2d({.out_channels = 6, .kernel = 3, .padding = 1}), {x});
  x = g.add("bn2", batch_norm(), {x});
  x = g.add("add", add(), {x, skip});
  x = g.add("relu2", relu(), {x});
  x = g.add("conv3", conv2d({.out_channels = 5, .kernel = 1}), {x});
  x = g.add("relu3", relu(), {x});
  x = g.add("flatten", flatten(), {x});
  x = g.add("hidden", linear({.out_features = 7}), {x});
  x = g.add("relu4", relu(), {x});
  g.add("fc", linear({.out_features = 4}), {x});
  return g;
}

inline double uniform(uint64_t i) {
  uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
}

// Classes that a small network can tell apart: a bright spot whose place is the class.
inline Batch small_batch(int64_t step, int64_t count = 5) {
  Batch b{Tensor(Dtype::f32, {count, 3, 10, 9}), {}};
  const auto x = b.input.values<float>();
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(uniform(i + x.size() * static_cast<uint64_t>(step)));
  for (int64_t n = 0; n < count; ++n) {
    const int64_t cls = (step * 7 + n) % 4;
    b.classes.push_back(cls);
    for (int64_t y = 0; y < 3; ++y)
      for (int64_t w = 0; w < 3; ++w)
        x[static_cast<size_t>(((n * 3 + 1) * 10 + 1 + y + 4 * (cls / 2)) * 9 + 1 + w + 4 * (cls % 2))] += 4;
  }
  return b;
}

// Mean loss of a batch, and the gradients of the parameters.
struct Pass {
  explicit Pass(Device device, const std::map<std::string, Tensor>& parameters)
      : graph(classification_graph(small_graph(), 0.1)), network("small", graph.graph, parameters, device) {}
  double loss(const Batch& b) {
    Execution& e = network.execution({b.input.shape(), Shape{b.input.shape()[0], 4}},
                                     {.values = {graph.loss}, .from = graph.loss, .parameters = true});
    e.forward({b.input, smoothed_targets(b.classes, 4, 0.1)});
    const Tensor losses = e.value(graph.loss);
    double sum = 0;
    for (int64_t n = 0; n < losses.numel(); ++n) sum += losses.item(n);
    Tensor seed(Dtype::f64, losses.shape());
    for (double& s : seed.values<double>()) s = 1 / static_cast<double>(losses.numel());
    e.backward(seed);
    for (NodeId p : graph.graph.parameters())
      if (is_learned(graph.graph.node(p).role))
        gradients[graph.graph.node(p).name] = e.gradient(p).to(Dtype::f64);
    return sum / static_cast<double>(losses.numel());
  }
  TrainingGraph graph;
  Network network;
  std::map<std::string, Tensor> gradients;
};

/// Gradients within float32's rounding of the reference's in double.
inline void check_gradients(Device device, int64_t images = 5) {
  const auto weights = initial_weights(small_graph(), 3);
  Pass reference(Device::ref(), weights), pass(device, weights);
  const Batch batch = small_batch(1, images);
  const double loss = reference.loss(batch);
  // float32's rounding, 2⁻²⁴, grows with the lengths of the sums on the way: a few hundred of it.
  CHECK(pass.loss(batch) == doctest::Approx(loss).epsilon(300 * 0x1p-24));
  for (const auto& [name, gradient] : reference.gradients) {
    CAPTURE(name);
    double difference = 0, size = 0;
    for (int64_t i = 0; i < gradient.numel(); ++i) {
      difference += std::pow(gradient.item(i) - pass.gradients.at(name).item(i), 2);
      size += std::pow(gradient.item(i), 2);
    }
    // A bias in front of a batch norm has no effect; its gradient is rounding noise on both.
    if (name == "conv2.bias")
      CHECK(std::sqrt(difference) < 300 * 0x1p-24);
    else
      CHECK(std::sqrt(difference / size) < 300 * 0x1p-24);
  }
}

inline TrainingSettings settings_of(TrainingSettings::Optimizer optimizer) {
  return {.steps = 40,
          .optimizer = optimizer,
          .rate = optimizer == TrainingSettings::Optimizer::sgd ? 0.05 : 0.01,
          .warmup = 5};
}

inline Trainer trainer_on(Device device, TrainingSettings settings) {
  return {"small", classification_graph(small_graph(), settings.label_smoothing),
          initial_weights(small_graph(), 1), device, settings};
}

inline void check_same(const TrainingState& a, const TrainingState& b) {
  CHECK(a.next_step == b.next_step);
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    CAPTURE(name);
    const Tensor& other = b.tensors.at(name);
    CHECK(std::memcmp(tensor.raw(), other.raw(), static_cast<size_t>(tensor.bytes())) == 0);
  }
}

/// Steps as the CPU takes them but for rounding; and a state that is taken up again gives the same bits.
inline void check_training(Device device) {
  const TrainingSettings settings = settings_of(TrainingSettings::Optimizer::adamw);
  Trainer cpu = trainer_on(Device::cpu(), settings), there = trainer_on(device, settings),
          again = trainer_on(device, settings);
  for (int64_t step = 0; step < 3; ++step) {
    const StepReport a = cpu.step(small_batch(step)), b = there.step(small_batch(step));
    CHECK(b.loss == doctest::Approx(a.loss).epsilon(1e-4));
    CHECK(b.gradient_norm == doctest::Approx(a.gradient_norm).epsilon(1e-3));
    CHECK(b.dead_relus.back().value == a.dead_relus.back().value);
    if (step == 1) again.restore(there.state());
  }
  again.step(small_batch(2));
  check_same(there.state(), again.state());
}

}  // namespace loupe::test
