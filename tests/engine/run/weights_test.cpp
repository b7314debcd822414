// Weights as operands: one parameter that several nodes read, gradients of parameters and constants, forms
// that are shared.
#include <doctest/doctest.h>

#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "models/io/formula.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

// Two convolutions and two linear layers; tied, both of a kind read the same parameters.
Graph twins(bool tied) {
  Graph g;
  const NodeId input = g.input("input", {1, 6, 7, 5});
  const auto parameters = [&](const std::string& name, const Shape& weight) {
    return std::pair(g.parameter(name + ".weight", weight),
                     g.parameter(name + ".bias", {weight[0]}, ParameterSpec::Role::bias));
  };
  const auto conv = parameters("conv", {6, 6, 3, 3}),
             conv_again = tied ? conv : parameters("conv2", {6, 6, 3, 3});
  const auto fc = parameters("fc", {210, 210}), fc_again = tied ? fc : parameters("fc2", {210, 210});
  const OpPtr same_size = conv2d({.out_channels = 6, .kernel = 3, .padding = 1});
  NodeId x = g.add("one", same_size, {input, conv.first, conv.second});
  x = g.add("two", same_size, {g.add("relu", relu(), {x}), conv_again.first, conv_again.second});
  x = g.add("three", linear({.out_features = 210}), {g.add("flatten", flatten(), {x}), fc.first, fc.second});
  x = g.add("four", linear({.out_features = 210}),
            {g.add("gelu", gelu(), {x}), fc_again.first, fc_again.second});
  return g;
}

// The untied twin with the tied one's values in both places.
std::map<std::string, Tensor> doubled(const std::map<std::string, Tensor>& tied) {
  std::map<std::string, Tensor> all = tied;
  for (const auto& [name, values] : tied) {
    const size_t dot = name.find('.');
    all[name.substr(0, dot) + "2" + name.substr(dot)] = values;
  }
  return all;
}

Purpose gradients_of(const Graph& g, const std::vector<std::string>& names) {
  Purpose purpose{.values = {g.output()}, .from = g.output()};
  for (const std::string& name : names)
    for (NodeId p : g.parameters())
      if (g.node(p).name == name) purpose.gradients.push_back(p);
  REQUIRE(purpose.gradients.size() == names.size());
  return purpose;
}

TEST_CASE("the gradient of a tied weight is the sum over its readers, and what finite differences say") {
  const std::vector<std::string> names{"conv.weight", "conv.bias", "fc.weight", "fc.bias"};
  const std::vector<std::string> again{"conv2.weight", "conv2.bias", "fc2.weight", "fc2.bias"};
  const Tensor x = random_tensor({2, 6, 7, 5}, 1), seed = random_tensor({2, 210}, 2);
  std::vector<Tensor> of_ref;
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network tied = with_formula_weights(twins(true), device);
    Network untied("untied", twins(false), doubled(formula_weights(twins(true))), device);
    const Result ours = run(tied, gradients_of(tied.graph(), names), x, seed),
                 first = run(untied, gradients_of(untied.graph(), names), x, seed),
                 second = run(untied, gradients_of(untied.graph(), again), x, seed);
    CHECK(same_bits(ours.values[0], first.values[0]));
    for (size_t p = 0; p < names.size(); ++p) {
      CAPTURE(names[p]);
      const Tensor& gradient = ours.gradients[p];
      for (int64_t i = 0; i < gradient.numel(); ++i) {
        const double a = first.gradients[p].item(i), b = second.gradients[p].item(i);
        const double sum = device == Device::ref() ? a + b : static_cast<float>(a) + static_cast<float>(b);
        CHECK(gradient.item(i) == sum);
      }
      if (device == Device::ref())
        of_ref.push_back(gradient);
      else
        CHECK(relative_l2(gradient, of_ref[p]) < 1e-5);
    }
    if (device != Device::ref()) continue;
    for (size_t p = 0; p < names.size(); ++p) {
      CAPTURE(names[p]);
      const int64_t count = ours.gradients[p].numel();
      for (int64_t i = 0; i < count; i += std::max<int64_t>(1, count / 8)) {
        const double quotient = difference_quotient(tied, tied.graph().output(), x, seed, names[p], i);
        // The quotient's error: its rounding over the step, and its square times the third derivative.
        CHECK(std::abs(ours.gradients[p].item(i) - quotient) <= 1e-7 * std::max(1.0, std::abs(quotient)));
      }
    }
  }
}

TEST_CASE("a tied weight is packed once") {
  const Tensor x = formula_input({1, 6, 7, 5});
  Network tied = with_formula_weights(twins(true), Device::cpu());
  Network untied("untied", twins(false), doubled(formula_weights(twins(true))), Device::cpu());
  CHECK(same_bits(tied.logits(x), untied.logits(x)));
  CHECK(tied.packed_bytes() > 0);
  CHECK(untied.packed_bytes() == 2 * tied.packed_bytes());
}

TEST_CASE("the gradient of a weight before a batch norm is that of the nodes as they stand") {
  Graph g;
  NodeId x = g.input("input", {1, 3, 8, 6});
  x = g.add("conv", conv2d({.out_channels = 5, .kernel = 3, .bias = false}), {x});
  x = g.add("relu", relu(), {g.add("bn", batch_norm(), {x})});
  g.add("fc", linear({.out_features = 3}), {g.add("flatten", flatten(), {x})});
  const std::vector<std::string> names{"conv.weight", "bn.weight", "bn.bias"};
  const Tensor in = random_tensor({2, 3, 8, 6}, 1), seed = random_tensor({2, 3}, 2);
  std::vector<Tensor> of_ref;
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(g, device);
    const Result r = run(net, gradients_of(g, names), in, seed);
    for (size_t p = 0; p < names.size(); ++p) {
      CAPTURE(names[p]);
      if (device == Device::ref()) {
        of_ref.push_back(r.gradients[p]);
        for (int64_t i = 0; i < r.gradients[p].numel(); i += 5) {
          const double quotient = difference_quotient(net, g.output(), in, seed, names[p], i);
          CHECK(std::abs(r.gradients[p].item(i) - quotient) <= 1e-7 * std::max(1.0, std::abs(quotient)));
        }
      } else {
        CHECK(relative_l2(r.gradients[p], of_ref[p]) < 1e-5);
      }
    }
  }
}

// The same network with its weights as parameters, or as constants of the graph.
Graph with_constants(bool constants) {
  Graph g;
  const NodeId x = g.input("input", {1, 4, 6, 5});
  const auto weight = [&](const std::string& name, const Shape& shape) {
    if (constants) return g.constant(name, formula_weight(name, shape, ParameterSpec::Role::weight));
    return g.parameter(name, shape);
  };
  const NodeId table = weight("table", {1, 4, 6, 5}), kernel = weight("kernel", {7, 4, 3, 3});
  const NodeId sum = g.add("add", add(), {x, table});
  const NodeId maps = g.add("conv", conv2d({.out_channels = 7, .kernel = 3, .bias = false}), {sum, kernel});
  g.add("flatten", flatten(), {g.add("relu", relu(), {maps})});
  return g;
}

TEST_CASE("constants are weights that no file holds") {
  const Tensor x = formula_input({2, 4, 6, 5}), seed = random_tensor({2, 84}, 2);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network fixed("constants", with_constants(true), {}, device);
    Network learned = with_formula_weights(with_constants(false), device);
    const auto purpose = [](const Graph& g) {
      Purpose p{.values = {g.output()}, .from = g.output(), .gradients = {0}};
      for (NodeId n = 0; n < g.size(); ++n)
        if (g.node(n).is_weight()) p.gradients.push_back(n);
      return p;
    };
    CHECK(fixed.graph().parameters().empty());
    const Result a = run(fixed, purpose(fixed.graph()), x, seed),
                 b = run(learned, purpose(learned.graph()), x, seed);
    CHECK(same_bits(a.values[0], b.values[0]));
    REQUIRE(a.gradients.size() == 3);
    for (size_t i = 0; i < 3; ++i) CHECK(same_bits(a.gradients[i], b.gradients[i]));
  }
}

TEST_CASE("a graph names what is wrong with an operand") {
  Graph g;
  const NodeId x = g.input("input", {1, 6, 7, 5});
  const NodeId narrow = g.parameter("narrow", {6, 5, 3, 3});
  CHECK(usage_error([&] {
          g.add("conv", conv2d({.out_channels = 6, .kernel = 3, .bias = false}), {x, narrow});
        }).starts_with("node 'conv': "));
  CHECK(usage_error([&] { g.parameter("narrow", {2}); }) == "two nodes of the graph are named 'narrow'");
  CHECK(usage_error([&] { g.add("far", relu(), {9}); }) ==
        "node 'far' takes an operand that is not in the graph");
}

}  // namespace
}  // namespace loupe::test
