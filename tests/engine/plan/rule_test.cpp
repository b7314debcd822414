// Rules of which rows belong to single nodes, and rows that apply ops to operands, outputs and weights.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/methods/gradient.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "models/io/formula.h"
#include "tests/support/halves.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

TEST_CASE("a row of one node leaves others of its kind alone, and goes before its kind's") {
  const Chain chain = maps_chain();
  const Tensor x = random_tensor({2, 3, 9, 11}, 1), seed = random_tensor({2, 4}, 2);
  const auto negate_nothing = [](SignalStep& s) { s.pass(s.rectify(s.signal()), 0); };
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(chain.whole(), device);
    const Graph& g = net.graph();
    const NodeId relu1 = g.find("relu1"), conv1 = g.find("conv1"), output = g.output();
    const Rule one{.name = "relu1 alone", .nodes = {{"relu1", negate_nothing}}};
    const Tensor ours = run(net, {.from = output, .gradients = {0}, .rule = one}, x, seed).gradients[0];
    // By hand: down to relu1's output, then the positive part of that signal, then on from conv1.
    const Tensor signal = run(net, {.from = output, .gradients = {relu1}}, x, seed).gradients[0];
    const Tensor positive = signal.to(Dtype::f64).clone();
    for (double& v : positive.values<double>()) v = std::max(v, 0.0);
    CHECK(same_bits(ours, run(net, {.from = conv1, .gradients = {0}}, x, positive).gradients[0]));
    CHECK(relative_l2(ours, run(net, {.from = output, .gradients = {0}}, x, seed).gradients[0]) > 0.1);

    Rule but_one = deconvnet_rule();  // and the other way round: of one node the plain vjp
    but_one.name = "deconvnet but relu1";
    but_one.nodes["relu1"] = [](SignalStep& s) { s.pass(s.vjp(s.signal(), 0), 0); };
    const Tensor deconvnet =
        run(net, {.from = output, .gradients = {relu1}, .rule = deconvnet_rule()}, x, seed).gradients[0];
    CHECK(same_bits(run(net, {.from = output, .gradients = {0}, .rule = but_one}, x, seed).gradients[0],
                    run(net, {.from = relu1, .gradients = {0}}, x, deconvnet).gradients[0]));
  }
}

// LRP's z⁺ rule (Bach et al. 2015; Montavon et al. 2017, "Deep Taylor decomposition", eq. 13): relevance is
// handed down in proportion to what an input adds through the positive weights,
//
//   R_i = x_i · Σ_j w⁺_ij R_j / Σ_k x_k w⁺_kj        for x ≥ 0.
Rule z_plus_rule() {
  const auto positive = std::make_shared<const WeightTransform>("positive", [](std::span<double> w) {
    for (double& v : w) v = std::max(v, 0.0);
  });
  const Row z_plus = [positive](SignalStep& s) {
    const RowOperand x = s.operand(0);
    RowOperand w = s.operand(1);
    w.transform = positive;
    const ValueId z =
        s.apply(function_op("clamp", {1e-9f, 1e30f}), {{.value = s.apply(s.node().op, {x, w})}});
    const ValueId share = s.apply(div(), {{.value = s.signal()}, {.value = z}});
    const ValueId c = s.apply_vjp(s.node().op, 0, share, {x, w});
    s.pass(s.apply(mul(), {x, {.value = c}}), 0);
  };
  return {"z_plus",
          {{"conv2d", z_plus}, {"linear", z_plus}, {"relu", [](SignalStep& s) { s.pass(s.signal(), 0); }}},
          {}};
}

// (1, 2, 6, 5) → conv 3 channels 3×3 → relu → flatten → 4 classes, without biases.
constexpr int64_t kIn = 2, kH = 6, kW = 5, kOut = 3, kClasses = 4, kMid = kOut * (kH - 2) * (kW - 2);
Graph conv_relu_linear() {
  Graph g;
  NodeId x = g.input("input", {1, kIn, kH, kW});
  x = g.add("conv", conv2d({.out_channels = kOut, .kernel = 3, .bias = false}), {x});
  x = g.add("flatten", flatten(), {g.add("relu", relu(), {x})});
  g.add("fc", linear({.out_features = kClasses, .bias = false}), {x});
  return g;
}

// The rule in plain loops: from relevance of outputs to that of inputs, of a layer with weights w(output,
// input).
std::vector<double> z_plus_by_hand(const std::vector<double>& x, const std::vector<double>& relevance,
                                   const std::function<double(size_t out, size_t in)>& w) {
  std::vector<double> down(x.size(), 0.0);
  for (size_t j = 0; j < relevance.size(); ++j) {
    double z = 0;
    for (size_t i = 0; i < x.size(); ++i) z += x[i] * std::max(w(j, i), 0.0);
    z = std::max(z, static_cast<double>(1e-9f));
    for (size_t i = 0; i < x.size(); ++i) down[i] += x[i] * std::max(w(j, i), 0.0) * relevance[j] / z;
  }
  return down;
}

// The convolution's weight between two cells, as a matrix: 0 where the window does not reach.
double conv_weight(const Tensor& w, size_t out, size_t in) {
  const auto o = static_cast<int64_t>(out), i = static_cast<int64_t>(in);
  const int64_t oc = o / ((kH - 2) * (kW - 2)), oy = o / (kW - 2) % (kH - 2), ox = o % (kW - 2);
  const int64_t ic = i / (kH * kW), iy = i / kW % kH, ix = i % kW, r = iy - oy, s = ix - ox;
  return r < 0 || r > 2 || s < 0 || s > 2 ? 0 : w.item(((oc * kIn + ic) * 3 + r) * 3 + s);
}

TEST_CASE("LRP's z+ rule as rows, against plain loops; relevance is conserved") {
  Tensor x(Dtype::f32, {1, kIn, kH, kW});
  for (int64_t i = 0; i < x.numel(); ++i)
    x.values<float>()[static_cast<size_t>(i)] = static_cast<float>((i * 7) % 13 + 1) / 13;
  const Graph g = conv_relu_linear();
  const std::map<std::string, Tensor> weights = formula_weights(g);
  const Tensor conv = weights.at("conv.weight"), fc = weights.at("fc.weight");
  std::vector<double> middle(kMid), wanted_logits(kClasses);
  for (size_t j = 0; j < middle.size(); ++j) {
    for (size_t i = 0; i < static_cast<size_t>(x.numel()); ++i)
      middle[j] += conv_weight(conv, j, i) * x.item(static_cast<int64_t>(i));
    middle[j] = std::max(middle[j], 0.0);
  }
  for (const int64_t cls : {0, 3}) {
    std::vector<double> relevance(kClasses, 0.0);
    relevance[static_cast<size_t>(cls)] = 2.5;
    const std::vector<double> of_middle = z_plus_by_hand(middle, relevance, [&](size_t o, size_t i) {
      return fc.item(static_cast<int64_t>(o) * kMid + static_cast<int64_t>(i));
    });
    const std::vector<double> wanted =
        z_plus_by_hand(values_of(x), of_middle, [&](size_t o, size_t i) { return conv_weight(conv, o, i); });
    double total = 0;
    for (const double v : wanted) total += v;
    CHECK(total == doctest::Approx(2.5));  // of the plain loops: nothing is lost on the way
    for (const Device device : devices()) {
      CAPTURE(device.str());
      Network net = with_formula_weights(g, device);
      const Purpose purpose{.from = g.output(), .gradients = {0, g.find("relu")}, .rule = z_plus_rule()};
      const Result r = run(net, purpose, x, Tensor::from(std::span<const double>(relevance), {1, kClasses}));
      const double bound = device == Device::ref() ? 1e-12 : 1e-5;
      CHECK(relative_l2(r.gradients[0], Tensor::from(std::span<const double>(wanted), x.shape())) <= bound);
      CHECK(relative_l2(r.gradients[1], Tensor::from(std::span<const double>(of_middle),
                                                     {1, kOut, kH - 2, kW - 2})) <= bound);
    }
  }
}

// DeepLIFT's rescale rule with a baseline of zeros (Shrikumar et al. 2017, section 3.5.1): the multiplier of
// a function with f(0) = 0 is y/x. Without biases the baseline's values are zero everywhere, and
// contributions make up the score.
TEST_CASE("rows that read a node's operand and output: DeepLIFT's rescale rule sums to the score") {
  const Row rescale = [](SignalStep& s) {
    const ValueId multiplier = s.apply(div(), {{.value = s.output()}, s.operand(0)});
    s.pass(s.apply(mul(), {{.value = s.signal()}, {.value = multiplier}}), 0);
  };
  Graph g;
  NodeId n = g.input("input", {1, 3, 7, 5});
  n = g.add("conv", conv2d({.out_channels = 17, .kernel = 3, .bias = false}), {n});
  n = g.add("silu", silu(), {n});
  n = g.add("flatten", flatten(), {n});
  n = g.add("hidden", linear({.out_features = 20, .bias = false}), {n});
  n = g.add("gelu", gelu(), {n});
  g.add("fc", linear({.out_features = 4, .bias = false}), {n});
  const Rule rule{.name = "rescale", .rows = {{"silu", rescale}, {"gelu", rescale}}};
  const Tensor x = random_tensor({2, 3, 7, 5}, 1);
  Tensor of_ref;
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(g, device);
    const Result r = run(net, {.values = {g.output()}, .from = g.output(), .gradients = {0}, .rule = rule}, x,
                         seed_channels({2, 4}, std::vector<int64_t>{1, 3}));
    for (int64_t i = 0; i < 2; ++i) {
      double sum = 0, size = 0;
      for (int64_t k = 0; k < 105; ++k) {
        const double contribution = x.item(i * 105 + k) * r.gradients[0].item(i * 105 + k);
        sum += contribution, size += std::abs(contribution);
      }
      const double bound = device == Device::ref() ? 1e-12 : 1e-5;
      CHECK(std::abs(sum - r.values[0].item(i * 4 + (i == 0 ? 1 : 3))) <= bound * size);
    }
    if (device == Device::ref())
      of_ref = r.gradients[0];
    else
      CHECK(relative_l2(r.gradients[0], of_ref) < 1e-4);
    CHECK(relative_l2(run(net, {.from = g.output(), .gradients = {0}}, x,
                          seed_channels({2, 4}, std::vector<int64_t>{1, 3}))
                          .gradients[0],
                      r.gradients[0]) > 0.1);
  }
}

// Where the tape keeps a bit, and where a batch norm and a function would be fused: rows see the values all
// the same.
TEST_CASE("rows that read values find them in every plan, whatever could be fused") {
  Graph g;
  NodeId n = g.input("input", {1, 3, 7, 5});
  n = g.add("conv", conv2d({.out_channels = 17, .kernel = 3, .bias = false}), {n});
  n = g.add("norm", batch_norm(), {n});
  n = g.add("relu6", relu6(), {n});
  n = g.add("flatten", flatten(), {n});
  g.add("fc", linear({.out_features = 4}), {n});
  const Row of_function = [](SignalStep& s) {  // signal·x·y
    const ValueId product = s.apply(mul(), {{.value = s.output()}, s.operand(0)});
    s.pass(s.apply(mul(), {{.value = s.signal()}, {.value = product}}), 0);
  };
  const Row of_convolution = [](SignalStep& s) {  // convᵀ(signal·y)
    s.pass(s.vjp(s.apply(mul(), {{.value = s.signal()}, {.value = s.output()}}), 0), 0);
  };
  const Tensor x = random_tensor({2, 3, 7, 5}, 1), seed = random_tensor({2, 4}, 2);
  const auto map = [&](const Device& device, const Rule& rule) {
    Network net = with_formula_weights(g, device);
    return run(net, {.from = g.output(), .gradients = {0}, .rule = rule}, x, seed).gradients[0];
  };
  for (const Rule& rule :
       {Rule{.name = "function", .rows = {{"relu6", of_function}}},
        Rule{.name = "convolution", .rows = {{"conv2d", of_convolution}}},
        Rule{.name = "both", .rows = {{"relu6", of_function}, {"conv2d", of_convolution}}}}) {
    CAPTURE(rule.name);
    const Tensor of_ref = map(Device::ref(), rule);
    for (const Device device : devices())
      if (device != Device::ref()) CHECK(relative_l2(map(device, rule), of_ref) < 1e-5);
  }
  Rule wrong{.name = "wrong", .rows = {{"conv2d", of_convolution}}, .reads = false};
  CHECK_THROWS_WITH_AS(map(Device::cpu(), wrong),
                       "the rule wrong says that it reads nothing, and asks for what 'conv' makes", Error);
}

TEST_CASE("a row that passes a multiple of the signal on, to both sides of a sum") {
  const Chain chain = maps_chain();
  const Tensor x = random_tensor({1, 3, 9, 11}, 1), seed = random_tensor({1, 4}, 2);
  const Row twice = [](SignalStep& s) {
    const ValueId sum = s.apply(add(), {{.value = s.signal()}, {.value = s.signal()}});
    s.pass(sum, 0);
    s.pass(sum, 1);
  };
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(chain.whole(), device);
    const NodeId output = net.graph().output();
    const Rule rule{.name = "twice", .nodes = {{"add", twice}}};
    const Tensor ours = run(net, {.from = output, .gradients = {0}, .rule = rule}, x, seed).gradients[0],
                 plain = run(net, {.from = output, .gradients = {0}}, x, seed).gradients[0];
    for (int64_t i = 0; i < plain.numel(); ++i)
      CHECK(ours.item(i) == 2 * plain.item(i));  // exact: a power of two
  }
}

}  // namespace
}  // namespace loupe::test
