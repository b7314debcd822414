#include "tests/support/networks.h"

#include <cmath>
#include <cstring>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/attention/attention.h"
#include "kernels/concat/concat.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/expand/expand.h"
#include "kernels/flatten/flatten.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/reshape/reshape.h"
#include "kernels/slice/slice.h"
#include "kernels/transpose/transpose.h"
#include "models/io/formula.h"

namespace loupe::test {

std::vector<Device> devices() {
  std::vector<Device> here{Device::ref(), Device::cpu()};
#ifndef __SANITIZE_ADDRESS__  // the simulator's kernels are compiled without sanitizers
  if (DeviceModule::present(Backend::sim)) here.push_back(Device::sim());
#endif
  if (Device::best() == Device::cuda()) here.push_back(Device::cuda());
  return here;
}

std::map<std::string, Tensor> formula_weights(const Graph& graph) {
  std::map<std::string, Tensor> parameters;
  for (NodeId id : graph.parameters()) {
    const Node& p = graph.node(id);
    parameters[p.name] = formula_weight(p.name, p.shape(), p.role);
  }
  return parameters;
}

Network with_formula_weights(Graph graph, Device device, const KernelOptions& kernels) {
  std::map<std::string, Tensor> parameters = formula_weights(graph);
  return {"the test network", std::move(graph), std::move(parameters), device, kernels};
}

ImageModel model_with_formula_weights(Graph graph, Device device, std::string trunk) {
  return {.network = with_formula_weights(std::move(graph), device), .trunk = std::move(trunk)};
}

Tensor path_magnitudes(const Graph& graph, const Tensor& x) {
  const auto absolute = [](const Tensor& t) {
    const Tensor a = t.to(Dtype::f32).clone();
    for (float& v : a.values<float>()) v = std::abs(v);
    return a;
  };
  std::map<std::string, Tensor> parameters = formula_weights(graph);
  for (auto& [name, values] : parameters) values = absolute(values);
  Network net("absolute values", graph, std::move(parameters), Device::ref());
  return net.logits(absolute(x));
}

Graph SmallNetwork::graph() const {
  Graph g;
  NodeId n = g.input("input", {1, 3, 14, 11});
  const auto chain = [&](const std::string& name, OpPtr op) { n = g.add(name, std::move(op), {n}); };
  const auto relu_if = [&](const std::string& name) {
    if (relus) chain(name, relu());
  };
  chain("conv1", conv2d({.out_channels = 10, .kernel = 3, .padding = 1, .bias = biases}));
  relu_if("relu1");
  chain("pool1", max_pool2d({.kernel = 3, .stride = Pair(2)}));
  chain("conv2", conv2d({.out_channels = 18, .kernel = 3, .padding = 1, .bias = biases}));
  relu_if("relu2");
  if (residual) {
    const NodeId shortcut = n;
    chain("conv3", conv2d({.out_channels = 18, .kernel = 1, .bias = biases}));
    n = g.add("add", add(), {n, shortcut});
    relu_if("relu3");
  }
  chain("average", global_avg_pool2d());
  chain("flatten", flatten());
  if (dropout) chain("dropout", loupe::dropout(0.5));
  chain("fc", linear({.out_features = 5, .bias = biases}));
  return g;
}

Graph channel_head_graph() {
  Graph g;
  NodeId n = g.input("input", {1, 3, 14, 11});
  n = g.add("conv1", conv2d({.out_channels = 10, .kernel = 3, .stride = 2}), {n});
  n = g.add("relu1", relu(), {n});
  n = g.add("dropout", dropout(0.5), {n});
  n = g.add("classes", conv2d({.out_channels = 5, .kernel = 1}), {n});
  n = g.add("relu2", relu(), {n});
  n = g.add("average", global_avg_pool2d(), {n});
  g.add("flatten", flatten(), {n});
  return g;
}

Graph small_transformer_graph() {
  using Role = ParameterSpec::Role;
  constexpr int64_t kWidth = 8;
  Graph g;
  const NodeId input = g.input("input", {1, 3, 12, 8});
  const NodeId token = g.parameter("class_token", {1, 1, kWidth}, Role::table);
  NodeId x = g.add("patches", conv2d({.out_channels = kWidth, .kernel = 4, .stride = 4}), {input});
  x = g.add("row", reshape({0, 0, -1}), {x});
  x = g.add("tokens", transpose({0, 2, 1}), {x});
  x = g.add("cat", concat(), {g.add("expand", expand(), {token, x}), x});
  x = g.add("places", add(), {x, g.parameter("place", {1, 7, kWidth}, Role::table)});
  for (const std::string layer : {"0", "1"}) {
    const auto named = [&](const std::string& name) { return layer + "." + name; };
    const NodeId weight = g.parameter(named("in_proj_weight"), {3 * kWidth, kWidth});
    const NodeId bias = g.parameter(named("in_proj_bias"), {3 * kWidth}, Role::bias);
    NodeId y = g.add(named("norm"), layer_norm(), {x});
    y = g.add(named("in_proj"), linear({.out_features = 3 * kWidth}), {y, weight, bias});
    const auto third = [&](const std::string& name, int64_t i) {
      return g.add(named(name), slice({.axis = 2, .begin = i * kWidth, .end = (i + 1) * kWidth}), {y});
    };
    const NodeId q = third("query", 0), k = third("key", 1), v = third("value", 2);
    y = g.add(named("attention"), attention({.heads = 2, .pattern = true}), {q, k, v});
    y = g.add(named("out_proj"), linear({.out_features = kWidth}), {y});
    x = g.add(named("add"), add(), {x, y});
    y = g.add(named("mlp"), linear({.out_features = kWidth}), {g.add(named("norm2"), layer_norm(), {x})});
    x = g.add(named("add_1"), add(), {x, g.add(named("gelu"), gelu(), {y})});
  }
  x = g.add("first", slice({.axis = 1, .begin = 0, .end = 1}), {x});
  g.add("head", linear({.out_features = 5}), {g.add("flatten", flatten(), {x})});
  return g;
}

Graph linear_graph(int64_t height, int64_t width) {
  Graph g;
  const NodeId x = g.input("input", {1, 3, height, width});
  g.add("fc", linear({.out_features = 4}), {g.add("flatten", flatten(), {x})});
  return g;
}

Network hand_network(Device device) {
  Graph g;
  NodeId n = g.input("input", {1, 1, 4, 4});
  n = g.add("conv", conv2d({.out_channels = 2, .kernel = 3}), {n});
  n = g.add("relu", relu(), {n});
  n = g.add("flatten", flatten(), {n});
  g.add("fc", linear({.out_features = 1, .bias = false}), {n});
  const std::vector<float> ones(18, 1.0f), biases{-50, -75}, signs{1, 1, 1, 1, 1, -1, -1, -1};
  return {"the hand-computable network",
          std::move(g),
          {{"conv.weight", Tensor::from(std::span(ones), {2, 1, 3, 3})},
           {"conv.bias", Tensor::from(std::span(biases), {2})},
           {"fc.weight", Tensor::from(std::span(signs), {1, 8})}},
          device};
}

Tensor hand_input() {
  std::vector<float> v(16);
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  return Tensor::from(std::span<const float>(v), {1, 1, 4, 4});
}

double relative_l2(const Tensor& a, const Tensor& b) {
  if (a.numel() != b.numel()) return INFINITY;
  double difference = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    difference += std::pow(a.item(i) - b.item(i), 2);
    size += std::pow(b.item(i), 2);
  }
  return std::sqrt(difference / size);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

std::vector<double> values_of(const Tensor& t) {
  std::vector<double> v;
  for (int64_t i = 0; i < t.numel(); ++i) v.push_back(t.item(i));
  return v;
}

std::vector<int64_t> memory_limits(Device device) {
  std::vector<int64_t> limits;
  for (int64_t bytes = 1 << 10; bytes <= 1 << 24; bytes *= device == Device::sim() ? 8 : 2)
    limits.push_back(bytes);
  return limits;
}

}  // namespace loupe::test
