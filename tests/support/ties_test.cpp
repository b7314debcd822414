// The accounting for ties finds real ties, and is not satisfied with a program that computes something else.
#include "tests/support/ties.h"

#include <doctest/doctest.h>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TieReport account(Network& ref, Network& cpu, const Tensor& x) {
  const Probe probe = tie_probe(ref.graph());
  Execution& run = ref.execution(x.shape(), {.values = probe.values, .records = probe.records});
  run.forward(x);
  return account_for_ties(ref, run, cpu);
}

// x₀ + x₁ − x₂ at each place, then a ReLU and a pool over the row.
struct Sum {
  Graph graph;
  std::map<std::string, Tensor> parameters;
  explicit Sum(int64_t width) {
    const NodeId x = graph.input("input", {1, 3, 1, width});
    const NodeId sum = graph.add("sum", conv2d({.out_channels = 1, .kernel = 1, .bias = false}), {x});
    graph.add("pool", max_pool2d({.kernel = Pair(1, width)}), {graph.add("relu", relu(), {sum})});
    const std::vector<float> signs{1, 1, -1};
    parameters["sum.weight"] = Tensor::from(std::span(signs), {1, 3, 1, 1});
  }
  Network on(Device device) const { return {"a sum", graph, parameters, device}; }
};

TEST_CASE("ties: a mask that float32 cannot decide is accounted for") {
  const Sum sum(2);
  Network ref = sum.on(Device::ref()), cpu = sum.on(Device::cpu());
  // 10⁸ + 1 − 10⁸ is 1 in double and 0 in float32.
  const std::vector<float> x{1e8f, 0, 1, 0, 1e8f, 0};
  const TieReport report = account(ref, cpu, Tensor::from(std::span(x), {1, 3, 1, 2}));
  INFO(report.str());
  CHECK(report.compared == 3);
  CHECK(report.differing == 1);
  CHECK(report.failed == 0);
}

TEST_CASE("ties: a switch that float32 cannot decide is accounted for") {
  const Sum sum(2);
  Network ref = sum.on(Device::ref()), cpu = sum.on(Device::cpu());
  // The second place is 64 + 1 in double, but as large as the first, 64, in float32, where the first then
  // wins.
  const std::vector<float> x{1e8f, 1e8f, 64, 65, 1e8f, 1e8f};
  const TieReport report = account(ref, cpu, Tensor::from(std::span(x), {1, 3, 1, 2}));
  INFO(report.str());
  CHECK(report.differing == 1);
  CHECK(report.failed == 0);
}

TEST_CASE("ties: a number on another piece of its function is accounted for") {
  Graph g;
  const NodeId x = g.input("input", {1, 3, 1, 2});
  const NodeId sum = g.add("sum", conv2d({.out_channels = 1, .kernel = 1, .bias = false}), {x});
  g.add("function", hard_swish(), {sum});
  const std::vector<float> signs{1, 1, -1},
      values{1e8f, 0, 4, 0, 1e8f, 0};  // 4 in double, 0 in float32: on the other side of 3
  const std::map<std::string, Tensor> parameters{
      {"sum.weight", Tensor::from(std::span(signs), {1, 3, 1, 1})}};
  Network ref("a sum", g, parameters, Device::ref()), cpu("a sum", g, parameters, Device::cpu());
  const TieReport report = account(ref, cpu, Tensor::from(std::span(values), {1, 3, 1, 2}));
  INFO(report.str());
  CHECK(report.compared == 2);
  CHECK(report.differing == 1);
  CHECK(report.failed == 0);
}

TEST_CASE("ties: networks with squeeze-and-excitation are followed value by value") {
  Graph g;
  NodeId n = g.input("input", {1, 3, 14, 11});
  for (const std::string block : {"1", "2"}) {
    n = g.add("conv" + block, conv2d({.out_channels = 20, .kernel = 3, .padding = 1}), {n});
    n = g.add("function" + block, hard_swish(), {n});
    NodeId gate = g.add("mean" + block, global_avg_pool2d(), {n});
    gate = g.add("squeeze" + block, conv2d({.out_channels = 5, .kernel = 1}), {gate});
    gate = g.add("relu" + block, relu(), {gate});
    gate = g.add("excite" + block, conv2d({.out_channels = 20, .kernel = 1}), {gate});
    n = g.add("mul" + block, mul(), {n, g.add("gate" + block, hard_sigmoid(), {gate})});
  }
  Network ref = with_formula_weights(g, Device::ref()), cpu = with_formula_weights(g, Device::cpu());
  const TieReport report = account(ref, cpu, formula_input({3, 3, 14, 11}));
  INFO(report.str());
  CHECK(report.compared == 2 * 3 * (20 * 14 * 11 + 5 + 20));
  CHECK(report.failed == 0);
  CHECK(report.rounding > 0.01);
}

TEST_CASE("ties: networks with and without a folded batch norm are followed value by value") {
  for (const bool norm : {false, true}) {
    Graph g;
    NodeId n = g.input("input", {1, 3, 14, 11});
    for (const char* block : {"1", "2", "3"}) {
      const std::string name = block;
      n = g.add("conv" + name, conv2d({.out_channels = 20, .kernel = 3, .padding = 1, .bias = !norm}), {n});
      if (norm) n = g.add("norm" + name, batch_norm(), {n});
      n = g.add("relu" + name, relu(), {n});
    }
    Network ref = with_formula_weights(g, Device::ref()), cpu = with_formula_weights(g, Device::cpu());
    const TieReport report = account(ref, cpu, formula_input({3, 3, 14, 11}));
    INFO(report.str());
    CHECK(report.compared == 3 * 3 * 20 * 14 * 11);
    CHECK(report.failed == 0);
    CHECK(report.rounding > 0.01);  // the bound is not much larger than what happens
  }
}

TEST_CASE("ties: another program is found out") {
  const Graph graph = SmallNetwork{}.graph();
  Network ref = with_formula_weights(graph, Device::ref());
  for (const std::string changed : {"conv1.weight", "conv2.bias", "fc.weight"}) {
    CAPTURE(changed);
    std::map<std::string, Tensor> parameters;
    for (const NodeId id : graph.parameters()) {
      const Node& p = graph.node(id);
      parameters[p.name] = formula_weight(p.name, p.shape(), p.role).clone();
    }
    parameters[changed].values<float>()[3] *= 1.01f;  // one weight by one percent
    Network other("another network", graph, std::move(parameters), Device::cpu());
    const TieReport report = account(ref, other, formula_input({1, 3, 14, 11}));
    CHECK(report.failed > 0);
    CHECK(report.first_failure.find("beyond its bound") != std::string::npos);
  }
}

}  // namespace
}  // namespace loupe::test
