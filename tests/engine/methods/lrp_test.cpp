// Rules of relevance: each layer's against its formula in plain loops, what is conserved, and whole methods on small
// networks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/methods/attention_relevance.h"
#include "engine/methods/attn_lrp.h"
#include "engine/methods/excitation_backprop.h"
#include "engine/methods/last_attention.h"
#include "engine/methods/lrp.h"
#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/avg_pool2d/avg_pool2d.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/concat/concat.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"
#include "tests/support/plans.h"

namespace loupe::test {
namespace {

using Vector = std::vector<double>;

// A layer as a matrix: z_j = Σ_i weight[j][i] x_i + bias[j]; `inside` counts the inputs of j in the picture.
struct Matrix {
  std::vector<Vector> weight;
  std::vector<std::vector<bool>> inside;
  Vector bias, low, high;  // of each input
};

// (1, 4, 5, 4) → 6 channels, 3×3, stride 2, padding 1, two groups.
constexpr int64_t kIn = 4, kH = 5, kW = 4, kOut = 6, kOh = 3, kOw = 2, kGroups = 2;
OpPtr convolution() {
  return conv2d({.out_channels = kOut, .kernel = 3, .stride = 2, .padding = 1, .groups = kGroups});
}
Matrix matrix_of(const Tensor& w, const Tensor& b) {
  Matrix m;
  for (int64_t k = 0; k < kOut; ++k)
    for (int64_t oy = 0; oy < kOh; ++oy)
      for (int64_t ox = 0; ox < kOw; ++ox) {
        Vector row(kIn * kH * kW);
        std::vector<bool> inside(row.size());
        for (int64_t c = 0; c < kIn / kGroups; ++c)
          for (int64_t r = 0; r < 3; ++r)
            for (int64_t q = 0; q < 3; ++q) {
              const int64_t y = 2 * oy - 1 + r, x = 2 * ox - 1 + q;
              if (y < 0 || y >= kH || x < 0 || x >= kW) continue;
              const int64_t channel = k / (kOut / kGroups) * (kIn / kGroups) + c;
              const auto i = static_cast<size_t>((channel * kH + y) * kW + x);
              row[i] = w.item(((k * (kIn / kGroups) + c) * 3 + r) * 3 + q);
              inside[i] = true;
            }
        m.weight.push_back(row);
        m.inside.push_back(inside);
        m.bias.push_back(b.item(k));
      }
  return m;
}

double plus(double v) { return std::max(v, 0.0); }
double minus(double v) { return std::min(v, 0.0); }
double safe(double a, double z, double epsilon = 1e-6) {
  if (epsilon == 0) return z == 0 ? 0 : a / z;
  return a / (z < 0 ? z - epsilon : z + epsilon);
}

// Σ_j part(i, j)·R_j / stab(Σ_i part(i, j) + rest(j)).
Vector shared_out(const Matrix& m, const Vector& relevance,
                  const std::function<double(size_t i, size_t j)>& part,
                  const std::function<double(size_t j)>& rest, double epsilon = 1e-6) {
  Vector down(m.weight[0].size());
  for (size_t j = 0; j < relevance.size(); ++j) {
    double z = rest(j);
    for (size_t i = 0; i < down.size(); ++i) z += part(i, j);
    for (size_t i = 0; i < down.size(); ++i) down[i] += part(i, j) * safe(relevance[j], z, epsilon);
  }
  return down;
}

Vector combined(const Vector& a, double s, const Vector& b, double t) {
  Vector sum(a.size());
  for (size_t i = 0; i < a.size(); ++i) sum[i] = s * a[i] + t * b[i];
  return sum;
}

// Each rule as make_method_golden.py of the shared folder has it.
Vector by_hand(const std::string& rule, const Matrix& m, const Vector& x, const Vector& r) {
  const auto w = [&](size_t i, size_t j) { return m.weight[j][i]; };
  const auto nothing = [](size_t) { return 0.0; };
  const auto z_plus = [&](size_t i, size_t j) {
    return plus(x[i]) * plus(w(i, j)) + minus(x[i]) * minus(w(i, j));
  };
  const auto z_minus = [&](size_t i, size_t j) {
    return plus(x[i]) * minus(w(i, j)) + minus(x[i]) * plus(w(i, j));
  };
  const auto bias = [&](size_t j) { return m.bias[j]; };
  const auto linear = [&](size_t i, size_t j) { return x[i] * w(i, j); };
  if (rule == "0") return shared_out(m, r, linear, bias, 0);
  if (rule == "epsilon") return shared_out(m, r, linear, bias);
  if (rule == "epsilon_025") return shared_out(m, r, linear, bias, 0.25);
  const auto positive_bias = [&](size_t j) { return plus(m.bias[j]); };
  const auto negative_bias = [&](size_t j) { return minus(m.bias[j]); };
  if (rule == "zplus") return shared_out(m, r, z_plus, positive_bias);
  if (rule == "zplus_nobias") return shared_out(m, r, z_plus, nothing);
  if (rule == "alpha2_beta1")
    return combined(shared_out(m, r, z_plus, positive_bias), 2, shared_out(m, r, z_minus, negative_bias), -1);
  if (rule == "flat")
    return shared_out(
        m, r, [&](size_t i, size_t j) { return m.inside[j][i] ? 1.0 : 0.0; }, nothing);
  if (rule == "wsquare")
    return shared_out(
        m, r, [&](size_t i, size_t j) { return w(i, j) * w(i, j); },
        [&](size_t j) { return m.bias[j] * m.bias[j]; });
  if (rule == "zbox")
    return shared_out(
        m, r,
        [&](size_t i, size_t j) {
          return x[i] * w(i, j) - m.low[i] * plus(w(i, j)) - m.high[i] * minus(w(i, j));
        },
        nothing);
  REQUIRE(rule == "gamma");
  Vector up = r, down = r;
  for (size_t j = 0; j < r.size(); ++j) {
    double z = m.bias[j];
    for (size_t i = 0; i < x.size(); ++i) z += linear(i, j);
    (z > 0 ? down : up)[j] = 0;
  }
  const auto grown = [](double v, double side) { return v + 0.25 * side; };
  const auto for_positive = [&](size_t i, size_t j) {
    return plus(x[i]) * grown(w(i, j), plus(w(i, j))) + minus(x[i]) * grown(w(i, j), minus(w(i, j)));
  };
  const auto for_negative = [&](size_t i, size_t j) {
    return plus(x[i]) * grown(w(i, j), minus(w(i, j))) + minus(x[i]) * grown(w(i, j), plus(w(i, j)));
  };
  return combined(
      shared_out(m, up, for_positive, [&](size_t j) { return grown(m.bias[j], plus(m.bias[j])); }), 1,
      shared_out(m, down, for_negative, [&](size_t j) { return grown(m.bias[j], minus(m.bias[j])); }), 1);
}

// L = Σ c_j z_j, whose relevance starts as c_j z_j.
Target weighted(const Vector& c) {
  return Target::Scalar([c](std::span<const double> result, std::span<double> gradient) {
    double sum = 0;
    for (size_t j = 0; j < c.size(); ++j) sum += c[j] * result[j], gradient[j] = c[j];
    return sum;
  });
}

Tensor tensor_of(const Vector& v, const Shape& shape) {
  return Tensor::from(std::span<const double>(v), shape);
}

const char* const kRules[] = {"0",       "epsilon",      "epsilon_025",  "gamma",
                              "zplus",   "zplus_nobias", "alpha2_beta1", "flat",
                              "wsquare", "zbox"};

TEST_CASE("every rule of a layer against its formula: signed input, padding, groups, biases") {
  Graph g;
  g.add("conv", convolution(), {g.input("input", {1, kIn, kH, kW})});
  const std::map<std::string, Tensor> weights = formula_weights(g);
  Matrix m = matrix_of(weights.at("conv.weight"), weights.at("conv.bias"));
  const Tensor x = random_tensor({1, kIn, kH, kW}, 1).to(Dtype::f32);
  const Vector c = values_of(random_tensor({1, kOut, kOh, kOw}, 2));
  for (const std::string rule : kRules) {
    if (rule == "zbox") continue;  // of a picture's channels
    CAPTURE(rule);
    Vector relevance = m.bias;
    for (size_t j = 0; j < relevance.size(); ++j) {
      for (size_t i = 0; i < m.weight[j].size(); ++i)
        relevance[j] += m.weight[j][i] * x.item(static_cast<int64_t>(i));
      relevance[j] *= c[j];
    }
    const Tensor wanted = tensor_of(by_hand(rule, m, values_of(x), relevance), x.shape());
    for (const Device device : devices()) {
      CAPTURE(device.str());
      ImageModel model = model_with_formula_weights(g, device);
      const Tensor map = lrp(model, x, {.target = weighted(c), .rule = rule});
      CHECK(relative_l2(map, wanted) <= (device == Device::ref() ? 1e-12 : 2e-4));
    }
  }
}

TEST_CASE("the box of a first layer: black and white, a linear layer or a convolution") {
  Preprocessing how{.mean = {0.4f, 0.5f, 0.6f}, .std = {0.2f, 0.25f, 0.3f}};
  const Tensor x = random_tensor({1, 3, 4, 5}, 1).to(Dtype::f32);
  const Vector c = values_of(random_tensor({1, 4}, 2));
  const Graph g = linear_graph(4, 5);
  const std::map<std::string, Tensor> weights = formula_weights(g);
  Matrix m;
  Vector relevance;
  for (int64_t j = 0; j < 4; ++j) {
    m.weight.emplace_back();
    double z = weights.at("fc.bias").item(j);
    for (int64_t i = 0; i < 60; ++i) {
      m.weight.back().push_back(weights.at("fc.weight").item(j * 60 + i));
      z += m.weight.back().back() * x.item(i);
    }
    relevance.push_back(z * c[static_cast<size_t>(j)]);
  }
  for (size_t i = 0; i < 60; ++i) {
    m.low.push_back((0 - double{how.mean[i / 20]}) / how.std[i / 20]);
    m.high.push_back((1 - double{how.mean[i / 20]}) / how.std[i / 20]);
  }
  const Tensor wanted = tensor_of(by_hand("zbox", m, values_of(x), relevance), x.shape());
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(g, device);
    model.preprocessing = how;
    const Tensor map = lrp(model, x, {.target = weighted(c), .rule = "zbox"});
    CHECK(relative_l2(map, wanted) <= (device == Device::ref() ? 1e-12 : 1e-5));
  }
  // The same as a convolution over the whole picture.
  Graph whole;
  whole.add("fc", conv2d({.out_channels = 4, .kernel = {4, 5}}), {whole.input("input", {1, 3, 4, 5})});
  ImageModel model{.network = {"whole",
                               whole,
                               {{"fc.weight", weights.at("fc.weight").reshape({4, 3, 4, 5})},
                                {"fc.bias", weights.at("fc.bias")}},
                               Device::ref()},
                   .preprocessing = how};
  CHECK(relative_l2(lrp(model, x, {.target = weighted(c), .rule = "zbox"}), wanted) <= 1e-12);
}

// What joins, branches and pools, without biases; a batch norm's shift would be one, too.
Graph joins_and_pools() {
  Graph g;
  NodeId x = g.input("input", {1, 3, 12, 10});
  x = g.add("conv1", conv2d({.out_channels = 8, .kernel = 3, .padding = 1, .bias = false}), {x});
  x = g.add("relu1", relu(), {x});
  const NodeId a = g.add("max", max_pool2d({.kernel = 3, .stride = Pair(2)}), {x}),
               b = g.add("mean", avg_pool2d({.kernel = 3, .stride = Pair(2)}), {x});
  x = g.add("concat", concat(), {a, b});
  const NodeId y =
      g.add("conv2", conv2d({.out_channels = 16, .kernel = 3, .padding = 1, .bias = false}), {x});
  x = g.add("add", add(), {x, y});
  x = g.add("relu2", relu(), {x});
  x = g.add("average", global_avg_pool2d(), {x});
  x = g.add("flatten", flatten(), {x});
  g.add("fc", linear({.out_features = 5, .bias = false}), {x});
  return g;
}

double total(const Tensor& map) {
  double sum = 0;
  for (int64_t i = 0; i < map.numel(); ++i) sum += map.item(i);
  return sum;
}

// Relevance is kept to 1e-5 of what there is: the score; where it is rounded to float32, of all that was added up.
void check_conserved(const Graph& g, const std::vector<LrpOptions>& rules) {
  const Tensor x = formula_input(g.input_shapes(2).at(0));
  for (const Device device : devices()) {
    ImageModel model = model_with_formula_weights(g, device);
    const Tensor logits = model.logits(x);
    for (const LrpOptions& o : rules) {
      CAPTURE(device.str());
      CAPTURE(o.rule + o.composite);
      const Tensor map = lrp(model, x, o);
      for (int64_t n = 0; n < 2; ++n) {
        double size = 0;
        for (int64_t i = 0; i < map.numel() / 2; ++i) size += std::abs(map.row(n).item(i));
        const Vector scores = values_of(logits.row(n));
        const double f = *std::ranges::max_element(scores),
                     whole = device == Device::ref() ? f : std::max(f, size);
        CHECK(std::abs(total(map.row(n)) - f) <= 1e-5 * whole);
        CHECK(same_bits(lrp(model, x.slice(n, n + 1), o).row(0), map.row(n)));
      }
    }
  }
}

TEST_CASE("without biases relevance is conserved, through sums, concats, pools and functions") {
  // An ε of 1e-6 keeps a part ε/z, which is more than 1e-5 where z is small.
  constexpr double kTiny = 1e-12;
  check_conserved(joins_and_pools(), {{.rule = "0"},
                                      {.rule = "epsilon", .epsilon = kTiny},
                                      {.rule = "gamma"},
                                      {.rule = "zplus"},
                                      {.rule = "zbox", .epsilon = kTiny},
                                      {.composite = "epsilon_plus", .epsilon = kTiny},
                                      {.composite = "epsilon_plus_flat", .epsilon = kTiny},
                                      {.composite = "epsilon_gamma_box", .epsilon = kTiny}});
}

// These two hand relevance to what is zero, too, which sums and pools cannot share out.
TEST_CASE("without biases and pools the flat and the w² rule conserve relevance as well") {
  Graph g;
  NodeId x = g.input("input", {1, 3, 6, 5});
  x = g.add("conv1", conv2d({.out_channels = 8, .kernel = 3, .padding = 1, .bias = false}), {x});
  x = g.add("conv2", conv2d({.out_channels = 5, .kernel = 3, .stride = 2, .bias = false}),
            {g.add("relu", relu(), {x})});
  g.add("fc", linear({.out_features = 5, .bias = false}), {g.add("flatten", flatten(), {x})});
  check_conserved(g, {{.rule = "flat"}, {.rule = "wsquare"}});
}

TEST_CASE("a difference of classes has the difference of their relevance") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor x = formula_input({1, 3, 14, 11});
    const auto map = [&](const Target& t) {
      return values_of(lrp(model, x, {.target = t, .rule = "gamma"}));
    };
    const Vector wanted = combined(map(1), 1, map(4), -1);
    CHECK(relative_l2(tensor_of(map(Target::difference(1, 4)), x.shape()), tensor_of(wanted, x.shape())) <=
          1e-5);
  }
}

// conv → batch norm → relu, twice, with a sum; or the same with the batch norms in the weights.
Graph normed(bool folded) {
  Graph g;
  NodeId x = g.input("input", {1, 3, 9, 7});
  for (const std::string i : {"1", "2"}) {
    const NodeId before = x;
    x = g.add("conv" + i, conv2d({.out_channels = 18, .kernel = 3, .padding = 1, .bias = folded}), {x});
    if (!folded) x = g.add("norm" + i, batch_norm(), {x});
    if (i == "2") x = g.add("add", add(), {before, x});
    x = g.add("relu" + i, relu(), {x});
  }
  x = g.add("average", global_avg_pool2d(), {x});
  g.add("fc", linear({.out_features = 5}), {g.add("flatten", flatten(), {x})});
  return g;
}

TEST_CASE("a convolution and its batch norm are one layer, on every device") {
  const Graph g = normed(false), plain = normed(true);
  const std::map<std::string, Tensor> weights = formula_weights(g);
  std::map<std::string, Tensor> folded{{"fc.weight", weights.at("fc.weight")},
                                       {"fc.bias", weights.at("fc.bias")}};
  for (const std::string i : {"1", "2"}) {
    const auto norm = [&](const char* name) { return weights.at("norm" + i + "." + name).to(Dtype::f64); };
    const Tensor w = weights.at("conv" + i + ".weight").to(Dtype::f64), scale = norm("weight"),
                 shift = norm("bias"), mean = norm("running_mean"), variance = norm("running_var");
    const FoldedBatchNorm<double> f =
        fold_batch_norm<double>(1e-5, scale.values<double>(), shift.values<double>(), mean.values<double>(),
                                variance.values<double>(), w.values<double>(), w.shape(), 0, {});
    folded["conv" + i + ".weight"] =
        Tensor::from(std::span<const double>(f.weight), w.shape()).to(Dtype::f32);
    folded["conv" + i + ".bias"] = Tensor::from(std::span<const double>(f.bias), {18}).to(Dtype::f32);
  }
  const Tensor x = formula_input({1, 3, 9, 7});
  for (const Device device : devices())
    for (const std::string rule : kRules) {
      CAPTURE(device.str());
      CAPTURE(rule);
      ImageModel ours = model_with_formula_weights(g, device),
                 theirs{.network = {"folded", plain, folded, device}};
      const LrpOptions options{.target = 2, .rule = rule};
      CHECK(relative_l2(lrp(ours, x, options), lrp(theirs, x, options)) <= 1e-4);
    }
}

TEST_CASE("gradient_shares: input and biases make up the score") {
  for (const Graph& g : {SmallNetwork{}.graph(), normed(false)}) {
    Shape shape = g.input_shapes(2).at(0);
    const Tensor x = formula_input(shape);
    for (const Device device : devices()) {
      CAPTURE(device.str());
      Network net = with_formula_weights(g, device);
      const GradientShares shares = gradient_shares(net, x, 3);
      const Tensor logits = net.logits(x);
      for (int64_t n = 0; n < 2; ++n) {
        const auto i = static_cast<size_t>(n);
        CHECK(shares.input[i] + shares.biases[i] == doctest::Approx(logits.item(n * 5 + 3)).epsilon(1e-4));
        CHECK(std::abs(shares.biases[i]) > 1e-3);
      }
    }
  }
}

TEST_CASE(
    "excitation backprop: a probability over the cells; its contrast is with the negated last weights") {
  const Graph g = joins_and_pools();
  std::map<std::string, Tensor> negated = formula_weights(g);
  negated["fc.weight"] = negated["fc.weight"].clone();
  for (float& v : negated["fc.weight"].values<float>()) v = -v;
  const Tensor x = formula_input({2, 3, 12, 10});
  CHECK(g.node(excitation_layer(g)).name == "concat");
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(g, device), dual{.network = {"dual", g, negated, device}};
    for (const std::string layer : {"relu1", "concat", "relu2"}) {
      CAPTURE(layer);
      const Tensor map = excitation_backprop(model, x, {.target = 3, .layer = layer}),
                   other = excitation_backprop(dual, x, {.target = 3, .layer = layer}),
                   contrast =
                       excitation_backprop(model, x, {.target = 3, .layer = layer, .contrastive = true});
      for (int64_t n = 0; n < 2; ++n) CHECK(total(map.row(n)) == doctest::Approx(1).epsilon(1e-5));
      CHECK(relative_l2(contrast,
                        tensor_of(combined(values_of(map), 1, values_of(other), -1), map.shape())) <= 1e-5);
      for (int64_t i = 0; i < map.numel(); ++i) CHECK(map.item(i) >= 0);
    }
  }
}

TEST_CASE("attn_lrp: the paper's equations, written out by tests/oracle/make_attn_lrp_golden.py") {
  const nlohmann::json golden =
      nlohmann::json::parse(std::ifstream(LOUPE_SOURCE_DIR "/tests/golden/attn_lrp.json"));
  const Tensor x = formula_input({2, 3, 12, 8});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(small_transformer_graph(), device);
    for (int64_t c = 0; c < 5; ++c) {
      const Vector wanted = golden.at("relevance of " + std::to_string(c)).get<Vector>();
      const Tensor map = attn_lrp(model, x, {.target = c});
      const double error = relative_l2(map.row(0), tensor_of(wanted, {3, 12, 8}));
      MESSAGE(device.str() << " " << c << ": " << error);
      CHECK(error <= 1e-4);
      CHECK(same_bits(attn_lrp(model, x.slice(1, 2), {.target = c}).row(0), map.row(1)));
    }
  }
}

TEST_CASE("attention_relevance, last_attention: independent of the batch") {
  const Tensor x = formula_input({3, 3, 12, 8});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(small_transformer_graph(), device);
    const Tensor relevance = attention_relevance(model, x, 2), heads = last_attention_heads(model, x);
    CHECK(relevance.shape() == Shape{3, 3, 2});
    CHECK(heads.shape() == Shape{3, 2, 3, 2});
    for (int64_t n = 0; n < 3; ++n) {
      CHECK(same_bits(attention_relevance(model, x.slice(n, n + 1), 2).row(0), relevance.row(n)));
      CHECK(same_bits(last_attention_heads(model, x.slice(n, n + 1)).row(0), heads.row(n)));
    }
  }
}

TEST_CASE("what relevance does not suit, and names that there are not") {
  ImageModel transformer = model_with_formula_weights(small_transformer_graph(), Device::cpu()),
             small = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor patches = formula_input({1, 3, 12, 8}), x = formula_input({1, 3, 14, 11});
  const auto refused = [&](const LrpOptions& o) { return usage_error([&] { lrp(small, x, o); }); };
  CHECK(usage_error([&] { lrp(transformer, patches); }) ==
        "lrp does not suit the test network: there is no rule of relevance for '0.norm' (layer_norm); "
        "attn_lrp has "
        "more rules");
  CHECK(refused({.rule = "zpuls"}).starts_with("lrp has no rule 'zpuls'; did you mean 'zplus'?"));
  CHECK(refused({.composite = "epsilon"}).starts_with("lrp has no composite 'epsilon'"));
  CHECK(refused({.rule = "zplus", .composite = "epsilon_plus"}) ==
        "lrp takes a rule or a composite, not both: zplus and epsilon_plus");
  CHECK(refused({.alpha = 2, .beta = 2}).starts_with("lrp.alpha less lrp.beta must be 1"));
  CHECK(usage_error([&] { attention_relevance(small, x, 1); }) ==
        "attention_relevance does not suit the test network: it has no attention");
  CHECK(
      usage_error([&] { excitation_backprop(transformer, patches); }) ==
      "excitation backprop does not suit the test network: it has no layer with maps whose values are never "
      "negative");
  CHECK(usage_error([&] { excitation_backprop(small, x, {.layer = "input"}); }) ==
        "excitation backprop does not suit the test network: 'conv1' reads values that may be negative");
}

}  // namespace
}  // namespace loupe::test
