// Backward passes: from and to any node, against finite differences and against passes in two halves.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "models/io/formula.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

TEST_CASE("backward from every node, channel and position is what finite differences say") {
  Network net = with_formula_weights(branching(), Device::ref());
  std::vector<Network> others;
  for (const Device d : devices())
    if (d != Device::ref()) others.push_back(with_formula_weights(branching(), d));
  const Tensor x = random_tensor({1, 3, 9, 11}, 1);
  for (NodeId from = 1; from < net.graph().size(); ++from) {
    const Node& node = net.graph().node(from);
    if (!node.op) continue;
    CAPTURE(node.name);
    std::vector<Tensor> seeds;
    seeds.push_back(random_tensor(node.shape(), 2));
    seeds.push_back(seed_channels(node.shape(), std::vector<int64_t>{2}));
    if (node.shape().rank() == 4) seeds.push_back(seed_position(node.shape(), 1, 3, 2));
    int signals = 0;  // a seed may fall on cells that a ReLU closes
    for (const Tensor& seed : seeds) {
      const Purpose purpose{.from = from, .gradients = {0}};
      const Tensor gradient = run(net, purpose, x, seed).gradients[0];
      double norm = 0;
      for (int64_t i = 0; i < gradient.numel(); ++i) norm += gradient.item(i) * gradient.item(i);
      norm = std::sqrt(norm);
      signals += norm > 0;
      // The quotient's error: rounding 1e-16·|score|/1e-6, and softmax's curvature 1e-12.
      for (int64_t i = 0; i < x.numel(); i += 13)
        CHECK(std::abs(gradient.item(i) - difference_quotient(net, from, x, seed, i)) <=
              1e-7 * std::max(1.0, norm));
      for (Network& other : others) {
        CAPTURE(other.device().str());
        const Tensor in_float = run(other, purpose, x, seed).gradients[0];
        for (int64_t i = 0; i < gradient.numel(); ++i)
          CHECK(std::abs(in_float.item(i) - gradient.item(i)) <= 1e-5 * norm);
      }
    }
    CHECK(signals >= 2);
  }
}

TEST_CASE("the gradient to an inner node, handed on from there, is the gradient to the input") {
  for (const auto& [name, inner] : {std::pair{"resnet18", "layer2"},
                                    {"squeezenet1_1", "features.6"},
                                    {"densenet121", "features.transition1"}})
    for (const Backend backend : backends(name)) {
      CAPTURE(name);
      CAPTURE(backend_name(backend));
      ImageModel model = small(name, backend);
      Network& net = model.network;
      const NodeId node = net.graph().find(inner), output = net.graph().output();
      const Tensor x = formula_input({2, 3, kSize, kSize}),
                   seed = seed_channels({2, 10}, std::vector<int64_t>{4, 9});
      const Result whole = run(net, {.from = output, .gradients = {0, node}}, x, seed);
      const Tensor rest = run(net, {.from = node, .gradients = {0}}, x, whole.gradients[1]).gradients[0];
      CHECK(same_bits(rest, whole.gradients[0]));
      CHECK(whole.gradients[1].shape() == net.graph().node(node).shape().with(0, 2));
    }
}

TEST_CASE("a seed at the node whose gradient is asked for comes back as it is") {
  Network net = with_formula_weights(branching(), Device::ref());
  const NodeId n = net.graph().find("three");
  const Tensor seed = random_tensor(net.graph().node(n).shape(), 5);
  const Result r = run(net, {.from = n, .gradients = {n}}, random_tensor({1, 3, 9, 11}, 1), seed);
  CHECK(same_bits(r.gradients[0], seed));
}

}  // namespace
}  // namespace loupe::test
