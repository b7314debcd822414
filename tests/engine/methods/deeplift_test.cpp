#include "engine/methods/deeplift.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/run/method.h"
#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/common/draws.h"
#include "kernels/concat/concat.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using Rule = DeepLiftOptions::Rule;
constexpr Rule kRules[] = {Rule::rescale, Rule::reveal_cancel};

// Rounding, relative to what is summed up, of a network of a few layers.
double tolerance(Device device) { return device.backend == Backend::ref ? 1e-12 : 2e-5; }

Tensor formula_baseline(const Shape& shape) {
  const Tensor u(Dtype::f64, shape);
  Draws().uniforms("baseline", u.values<double>());
  for (double& v : u.values<double>()) v = 2 * (2 * v - 1);
  return u.to(Dtype::f32);
}

double magnitude(const Tensor& t) {
  double sum = 0;
  for (const double v : values_of(t)) sum += std::abs(v);
  return sum;
}

// The network of tests/oracle/make_deeplift_golden.py.
Graph oracle_graph() {
  Graph g;
  NodeId n = g.input("input", {1, 2, 7, 6});
  n = g.add("conv1", conv2d({.out_channels = 3, .kernel = 3, .padding = 1}), {n});
  n = g.add("relu1", relu(), {g.add("bn1", batch_norm(), {n})});
  n = g.add("pool", max_pool2d({.kernel = 3, .stride = Pair(2)}), {n});
  n = g.add("relu2", relu(), {g.add("conv2", conv2d({.out_channels = 4, .kernel = 2}), {n})});
  n = g.add("sum", add(), {g.add("conv3", conv2d({.out_channels = 4, .kernel = 1}), {n}), n});
  n = g.add("flatten", flatten(), {g.add("relu3", relu(), {n})});
  n = g.add("sigmoid", sigmoid(), {g.add("fc1", linear({.out_features = 5}), {n})});
  g.add("fc2", linear({.out_features = 3}), {n});
  return g;
}

TEST_CASE("deeplift: both rules as an oracle writes them out, with the layers as matrices") {
  std::ifstream file(LOUPE_SOURCE_DIR "/tests/golden/deeplift.json");
  const auto golden = nlohmann::json::parse(file);
  const Shape shape{1, 2, 7, 6};
  for (const Device device : devices())
    for (const Rule rule : kRules)
      for (const int64_t cls : {0, 1, 2}) {
        CAPTURE(device.str());
        CAPTURE(static_cast<int>(rule));
        CAPTURE(cls);
        Network net = with_formula_weights(oracle_graph(), device);
        const DeepLiftResult r = deeplift(
            net, formula_input(shape), {.target = cls, .rule = rule, .baselines = {formula_baseline(shape)}});
        const auto wanted = golden.at(rule == Rule::rescale ? "rescale" : "reveal_cancel")
                                .at(static_cast<size_t>(cls))
                                .get<std::vector<double>>();
        double error = 0, size = 0;
        for (int64_t i = 0; i < r.attribution.numel(); ++i) {
          const double w = wanted.at(static_cast<size_t>(i));
          error += std::pow(r.attribution.item(i) - w, 2);
          size += w * w;
        }
        CHECK(std::sqrt(error / size) < tolerance(device));
      }
}

// min(a, b) = a − max(a − b, 0), the paper's example (section 3.5.3): of 5 and 3 against 0 and 0 rescale gives
// everything to b, and RevealCancel half to each.
TEST_CASE("deeplift: the smaller of two numbers, by hand") {
  Graph g;
  const NodeId x = g.input("input", {1, 2});
  const NodeId h =
      g.add("relu", relu(), {g.add("difference", linear({.out_features = 1, .bias = false}), {x})});
  g.add("min", linear({.out_features = 1, .bias = false}), {g.add("all", concat(), {x, h})});
  const Tensor input(Dtype::f32, {1, 2}), first(Dtype::f32, {1, 2}), last(Dtype::f32, {1, 3});
  std::ranges::copy(std::vector<float>{5, 3}, input.values<float>().begin());
  std::ranges::copy(std::vector<float>{1, -1}, first.values<float>().begin());
  std::ranges::copy(std::vector<float>{1, 0, -1}, last.values<float>().begin());
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net("min", g, {{"difference.weight", first}, {"min.weight", last}}, device);
    const auto shares = [&](Rule rule) {
      return values_of(deeplift(net, input, {.target = 0, .rule = rule}).attribution);
    };
    CHECK(shares(Rule::rescale) == std::vector<double>{0, 3});
    for (const double share : shares(Rule::reveal_cancel)) CHECK(share == doctest::Approx(1.5).epsilon(1e-6));
  }
}

TEST_CASE("deeplift: of a linear network the weights times the difference, by either rule") {
  const Tensor x = formula_input({3, 3, 6, 5}), baseline = formula_baseline({1, 3, 6, 5});
  for (const Device device : devices())
    for (const Rule rule : kRules) {
      CAPTURE(device.str());
      Network net = with_formula_weights(linear_graph(6, 5), device);
      const Tensor map = deeplift(net, x, {.target = 2, .rule = rule, .baselines = {baseline}}).attribution;
      const Tensor w = net.parameter("fc.weight").row(2), wanted = x.to(Dtype::f64).clone();
      for (int64_t i = 0; i < x.numel(); ++i)
        wanted.values<double>()[static_cast<size_t>(i)] =
            w.item(i % 90) * (x.item(i) - baseline.item(i % 90));
      CHECK(relative_l2(map, wanted) < (device.backend == Backend::ref ? 1e-15 : 1e-7));
    }
}

TEST_CASE("deeplift: the shares sum to the difference of the scores") {
  const Tensor x = formula_input({2, 3, 14, 11}), baseline = formula_baseline({1, 3, 14, 11});
  for (const Device device : devices())
    for (const Rule rule : kRules) {
      CAPTURE(device.str());
      CAPTURE(static_cast<int>(rule));
      Network net = with_formula_weights(SmallNetwork{}.graph(), device);
      const DeepLiftResult r = deeplift(net, x, {.target = 3, .rule = rule, .baselines = {baseline}});
      const Tensor scores = net.logits(x), from = net.logits(baseline);
      for (int64_t n = 0; n < 2; ++n) {
        const auto at = static_cast<size_t>(n);
        CHECK(r.scores[at] == doctest::Approx(scores.item(n * 5 + 3)).epsilon(1e-5));
        CHECK(r.baseline_scores[at] == doctest::Approx(from.item(3)).epsilon(1e-5));
        CHECK(std::abs(r.residuals[at]) < tolerance(device) * magnitude(r.attribution.row(n)));
        CHECK(std::abs(r.scores[at] - r.baseline_scores[at]) > 0.01);
      }
    }
}

// Where nothing changes the multiplier is the slope: an input that is its own baseline.
TEST_CASE("deeplift: rescale of every elementwise function is a difference's quotient, or the slope") {
  Graph g;
  NodeId n = g.input("input", {1, 6});
  n = g.add("function", softplus(), {g.add("gelu", gelu(), {n})});
  g.add("fc", linear({.out_features = 2, .bias = false}), {n});
  const Tensor x = formula_input({1, 6}), b = x.clone();
  for (size_t i = 0; i < 3; ++i) b.values<float>()[i] -= 0.5f + static_cast<float>(i);
  const auto f = [](double v) { return std::log1p(std::exp(v * std::erfc(-v / std::sqrt(2.0)) / 2)); };
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(g, device);
    const DeepLiftResult r = deeplift(net, x, {.target = 1, .baselines = {b}});
    for (int64_t i = 0; i < 6; ++i) {
      const double wanted = net.parameter("fc.weight").item(6 + i) * (f(x.item(i)) - f(b.item(i)));
      CHECK(r.attribution.item(i) == doctest::Approx(wanted).epsilon(1e-5));
    }
  }
}

TEST_CASE("deeplift: the mean over several baselines") {
  const Tensor x = formula_input({2, 3, 14, 11}), one = formula_baseline({1, 3, 14, 11}),
               each = formula_baseline({2, 3, 14, 11});
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Tensor mean = deeplift(net, x, {.target = 1, .baselines = {one, each}}).attribution;
  const Tensor a = deeplift(net, x, {.target = 1, .baselines = {one}}).attribution,
               b = deeplift(net, x, {.target = 1, .baselines = {each}}).attribution;
  for (int64_t i = 0; i < mean.numel(); ++i)
    CHECK(mean.item(i) == doctest::Approx((a.item(i) + b.item(i)) / 2).epsilon(1e-12));
}

TEST_CASE("deeplift: any target is explained") {
  const Tensor x = formula_input({2, 3, 14, 11});
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  for (const Rule rule : kRules) {
    const auto map = [&](Target target) {
      return deeplift(net, x, {.target = std::move(target), .rule = rule}).attribution;
    };
    const Tensor a = map(1), b = map(3), difference = map(Target::difference(1, 3));
    for (int64_t i = 0; i < x.numel(); ++i)
      CHECK(std::abs(difference.item(i) - (a.item(i) - b.item(i))) < 1e-12 * magnitude(a));
    CHECK(same_bits(map(std::vector<int64_t>{3, 1}).row(0), b.row(0)));
    CHECK(same_bits(map(std::vector<int64_t>{3, 1}).row(1), a.row(1)));
  }
  // A unit of a layer: what is above it does not matter.
  const NodeId conv2 = net.graph().find("conv2");
  const Target unit = Target([](std::span<const double> result, std::span<double> gradient) {
                        gradient[40] = 1;
                        return result[40];
                      }).of(conv2);
  const DeepLiftResult r = deeplift(net, x, {.target = unit});
  for (size_t n = 0; n < 2; ++n) CHECK(std::abs(r.residuals[n]) < 1e-12);
}

TEST_CASE("deeplift: the same bits in any batch and memory") {
  const Tensor x = formula_input({3, 3, 14, 11}), baseline = formula_baseline({1, 3, 14, 11});
  for (const Device device : devices())
    for (const Rule rule : kRules) {
      CAPTURE(device.str());
      Network net = with_formula_weights(SmallNetwork{}.graph(), device);
      const auto run = [&](const Tensor& images) {
        return deeplift(net, images,
                        {.rule = rule, .baselines = {baseline, Tensor::zeros(Dtype::f32, {1, 3, 14, 11})}})
            .attribution;
      };
      const Tensor all = run(x);
      for (int64_t n = 0; n < 3; ++n) CHECK(same_bits(run(x.slice(n, n + 1)).row(0), all.row(n)));
      net.batch_limit = 3;  // pairs stay together
      CHECK(same_bits(run(x), all));
      net.batch_limit = 0;
      int runs = 0;
      for (const int64_t limit : memory_limits(device)) {
        net.memory_limit = limit;
        try {
          const Tensor again = run(x);
          CHECK(same_bits(again, all));
          ++runs;
        } catch (const Error&) {  // a pair alone needs more
          CHECK(runs == 0);
        }
      }
      CHECK(runs >= 1);
    }
}

// Rows that are 16 wide lie the same way in both layouts: what a rule reads of a signal is then a view of it.
TEST_CASE("deeplift: complete through linear layers of 16 numbers") {
  Graph g;
  NodeId n = g.add("flatten", flatten(), {g.input("input", {1, 3, 6, 5})});
  n = g.add("relu", relu(), {g.add("fc1", linear({.out_features = 16}), {n})});
  g.add("fc2", linear({.out_features = 4}), {n});
  const Tensor x = formula_input({1, 3, 6, 5}), baseline = formula_input({2, 3, 6, 5}).slice(1, 2);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(g, device);
    for (int64_t cls = 0; cls < 4; ++cls) {
      const Tensor map = deeplift(net, x, {.target = cls, .baselines = {baseline}}).attribution;
      double sum = 0;
      for (int64_t i = 0; i < map.numel(); ++i) sum += map.item(i);
      CHECK(std::abs(sum - (net.logits(x).item(cls) - net.logits(baseline).item(cls))) < 1e-4);
    }
  }
}

TEST_CASE("deeplift: what does not fit") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  CHECK(usage_error([&] {
          deeplift(net, formula_input({2, 3, 14, 11}), {.baselines = {formula_input({3, 3, 14, 11})}});
        }) == "a baseline of DeepLIFT is (3, 3, 14, 11), but the images are (2, 3, 14, 11)");
  Network transformer = with_formula_weights(small_transformer_graph(), Device::cpu());
  CHECK(usage_error([&] {
          deeplift(transformer, formula_input({1, 3, 12, 8}));
        }) ==
        "DeepLIFT has rules for elementwise functions, max pools and linear layers, and '1.norm2' "
        "(layer_norm) is "
        "none of them");
  Graph g;
  const NodeId x = g.input("input", {1, 3, 6, 5});
  const NodeId gate = g.add("gate", sigmoid(), {g.add("average", global_avg_pool2d(), {x})});
  g.add("fc", linear({.out_features = 2}),
        {g.add("flatten", flatten(), {g.add("excite", mul(), {x, gate})})});
  Network squeeze = with_formula_weights(g, Device::cpu());
  CHECK(usage_error([&] {
          deeplift(squeeze, formula_input({1, 3, 6, 5}));
        }) ==
        "DeepLIFT has rules for elementwise functions, max pools and linear layers, and 'excite' (mul) is "
        "none of "
        "them");
}

TEST_CASE("deeplift: the methods' options") {
  ImageModel model = model_with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Tensor x = formula_input({1, 3, 14, 11});
  const auto explain = [&](const std::string& name,
                           const std::vector<std::pair<std::string, std::string>>& set) {
    const Method& method = find_method(name);
    Options options(name, method.options);
    for (const auto& [option, text] : set) options.set(option, text);
    const auto why = method.unsuited(model, x.shape(), options);
    CHECK(!why);
    return method.run({.model = model, .input = x, .target = 2, .logits = model.logits(x)}, options);
  };
  const Explanation shap = explain("deeplift_shap", {});
  REQUIRE(shap.maps.size() == 1);
  CHECK(shap.maps[0].name == "deeplift_shap");
  CHECK(std::abs(shap.checks.at(0).value) < 1e-12);
  // Its baselines, one by one.
  const Tensor sum = Tensor::zeros(Dtype::f64, {3, 14, 11});
  for (const char* baseline : {"zero", "black", "white", "noise"}) {
    const Tensor map = explain("deeplift", {{"baseline", baseline}}).maps.at(0).values;
    for (int64_t i = 0; i < map.numel(); ++i) sum.values<double>()[static_cast<size_t>(i)] += map.item(i) / 4;
  }
  CHECK(relative_l2(shap.maps[0].values, sum) < 1e-12);
  CHECK(!same_bits(explain("deeplift", {}).maps[0].values,
                   explain("deeplift", {{"rule", "reveal_cancel"}}).maps[0].values));
  CHECK(usage_error([&] {
          explain("deeplift", {{"rule", "rescaled"}});
        }) == "--deeplift.rule is rescale or reveal_cancel, not 'rescaled'");
}

}  // namespace
}  // namespace loupe::test
