#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "engine/run/network.h"
#include "kernels/elementwise/elementwise.h"
#include "tools/loupe/compare/compare.h"

namespace loupe {
namespace {

// The place of each value in ascending order; equal values share the mean of theirs.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> rank(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) rank[order[i]] = static_cast<double>(begin + end - 1) / 2;
    begin = end;
  }
  return rank;
}

}  // namespace

std::optional<double> rank_correlation(const Plane& a, const Plane& b) {
  if (a.height != b.height || a.width != b.width || a.values.empty()) return std::nullopt;
  for (const Plane* p : {&a, &b})
    for (const double v : p->values)
      if (std::isnan(v)) return std::nullopt;
  const std::vector<double> x = ranks(a.values), y = ranks(b.values);
  const double mean = static_cast<double>(x.size() - 1) / 2;
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

RuleTable rule_table(Device device, const Tensor& activation, const Tensor& from_above) {
  // Every case: on or off in the forward pass, a signal for or against, and both near 0.
  const std::vector<double> on_and_off{2, -1, 3, 0.5, -4, 1, -2, 6, 0, 5, -0.5, -3, 1.5, -6, 4, 2.5},
      for_and_against{1, 2, -3, 0, -2, -1, 4, 0.5, 3, 2, -0.5, -4, -1.5, 6, 5, -2};
  const auto map = [](const Tensor& given, const std::vector<double>& standard) {
    return (given.defined() ? given : Tensor::from(standard, {4, 4})).reshape({1, 1, 4, 4});
  };
  const Tensor x = map(activation, on_and_off), signal = map(from_above, for_and_against);
  Graph graph;
  const NodeId input = graph.input("x", {1, 1, 4, 4}), layer = graph.add("relu", relu(), {input});
  graph.set_output(layer);
  Network network("one ReLU", std::move(graph), {}, device);
  RuleTable table;
  const auto down = [&](Rule rule) {
    Execution& pass = network.execution(
        x.shape(), {.values = {layer}, .from = layer, .gradients = {input}, .rule = std::move(rule)});
    pass.forward(x);
    table.after = pass.value(layer).reshape({4, 4});
    pass.backward(signal);
    return pass.gradient(input).reshape({4, 4});
  };
  table.gradient = down(gradient_rule());
  table.deconvnet = down(deconvnet_rule());
  table.guided = down(guided_backprop_rule());
  table.before = x.reshape({4, 4});
  table.signal = signal.reshape({4, 4});
  return table;
}

const MethodResult* result_of(const Side& side, const Method& method) {
  for (const MethodResult& r : side.answer.methods)
    if (r.method == &method) return &r;
  return nullptr;
}

std::optional<double> agreement(const Comparison& all, const Method& method, size_t map) {
  if (all.sides.size() != 2) return std::nullopt;
  std::array<const Plane*, 2> planes{};
  for (size_t s = 0; s < 2; ++s) {
    const Side& side = all.sides[s];
    for (size_t i = 0; i < side.answer.methods.size(); ++i)
      if (side.answer.methods[i].method == &method && map < side.planes[i].size())
        planes[s] = &side.planes[i][map];
    if (!planes[s]) return std::nullopt;
  }
  return rank_correlation(*planes[0], *planes[1]);
}

}  // namespace loupe
