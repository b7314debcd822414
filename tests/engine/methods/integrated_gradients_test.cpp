#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/image/image.h"
#include "engine/methods/gradient.h"
#include "engine/methods/integrated_gradients.h"
#include "engine/methods/layer_integrated_gradients.h"
#include "engine/run/method.h"
#include "engine/run/quadrature.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("integrated_gradients: Gauss–Legendre is exact for polynomials up to degree 2n − 1") {
  for (const int64_t n : {1, 2, 3, 5, 10, 50, 51, 1000}) {
    CAPTURE(n);
    const Quadrature q = gauss_legendre(n);
    REQUIRE(static_cast<int64_t>(q.points.size()) == n);
    for (int64_t degree = 0; degree <= std::min<int64_t>(2 * n - 1, 40); ++degree) {
      double sum = 0;
      for (size_t i = 0; i < q.points.size(); ++i) sum += q.weights[i] * std::pow(q.points[i], degree);
      // Points are good to a few units of the last place, which a power multiplies by its degree.
      CHECK(std::abs(sum - 1.0 / static_cast<double>(degree + 1)) <=
            static_cast<double>(8 + degree + n / 16) * 0x1p-52);
    }
    for (size_t i = 0; i + 1 < q.points.size(); ++i) CHECK(q.points[i] < q.points[i + 1]);
    for (size_t i = 0; i < q.points.size(); ++i)
      CHECK(q.points[i] + q.points[q.points.size() - 1 - i] == doctest::Approx(1).epsilon(1e-15));
  }
  // Points and weights on [0, 1] from the roots of 35x⁴ − 30x² + 3 and 63x⁵ − 70x³ + 15x (Abramowitz &
  // Stegun, table 25.4).
  CHECK(gauss_legendre(4).points[3] ==
        doctest::Approx((1 + std::sqrt(3.0 / 7 + 2.0 / 7 * std::sqrt(1.2))) / 2).epsilon(1e-15));
  CHECK(gauss_legendre(5).weights[2] == doctest::Approx(64.0 / 225).epsilon(1e-15));
  CHECK(usage_error([] { gauss_legendre(0); }) == "a quadrature needs at least one step, not 0");
}

TEST_CASE("integrated_gradients: of a linear network, the weights times the difference, in one step") {
  const Tensor x = formula_input({3, 3, 6, 5}), baseline = formula_input({4, 3, 6, 5}).slice(3, 4);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(6, 5), device);
    const IntegratedGradientsResult r =
        integrated_gradients(net, x, {.target = 2, .steps = 1, .baseline = baseline});
    const Tensor w = net.parameter("fc.weight").row(2);
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double wanted = w.item(i % 90) * (x.item(i) - baseline.item(i % 90));
      const double unit =
          device.backend == Backend::ref ? 0x1p-53 : 0x1p-24;  // of the result; all before is in double
      CHECK(std::abs(r.attribution.item(i) - wanted) <= (unit + 8 * 0x1p-53) * std::abs(wanted));
    }
  }
}

// Along the way the gradient is constant between kinks, so the quadrature's error falls with the number of
// steps; the sum of shares then meets the difference of the scores.
TEST_CASE("integrated_gradients: completeness") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    double before = INFINITY;
    for (const int64_t steps : {10, 1000}) {
      if (steps > 10 && device == Device::sim()) continue;  // slow
      CAPTURE(steps);
      const IntegratedGradientsResult r = integrated_gradients(net, x, {.target = 3, .steps = steps});
      double worst = 0;
      for (size_t n = 0; n < 2; ++n) {
        double sum = 0;
        for (const double v : values_of(r.attribution.row(static_cast<int64_t>(n)))) sum += v;
        const double difference = r.scores[n] - r.baseline_scores[n];
        CHECK(r.scores[n] == net.logits(x).item(static_cast<int64_t>(n) * 5 + 3));
        CHECK(std::abs(r.residuals[n] - (sum - difference)) < 1e-5);
        worst = std::max(worst, std::abs(r.residuals[n]));
      }
      MESSAGE(device.str() << ", " << steps << " steps: residual " << worst);
      if (steps == 1000) {
        CHECK(worst < before / 10);
        CHECK(worst < 1e-3);
      }
      before = worst;
    }
  }
}

// Without kinks (no ReLU, a pool that never changes its mind) one step is exact.
TEST_CASE("integrated_gradients: completeness to rounding where the network is linear") {
  const Tensor x = formula_input({2, 3, 6, 5});
  Network net = with_formula_weights(linear_graph(6, 5), Device::ref());
  for (const int64_t steps : {1, 7})
    for (const double residual : integrated_gradients(net, x, {.target = 1, .steps = steps}).residuals)
      CHECK(std::abs(residual) <=
            static_cast<double>(90 * 3 + steps) * 0x1p-53 * path_magnitudes(net.graph(), x).item(1));
}

TEST_CASE("integrated_gradients: the same bits in any batch and memory") {
  const Tensor x = formula_input({3, 3, 14, 11}), baseline = formula_input({4, 3, 14, 11}).slice(3, 4);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const auto run = [&](const Tensor& images) {
      return integrated_gradients(net, images, {.steps = 9, .baseline = baseline}).attribution;
    };
    const Tensor all = run(x);
    for (int64_t n = 0; n < 3; ++n) CHECK(same_bits(run(x.slice(n, n + 1)).row(0), all.row(n)));
    int runs = 0;
    for (const int64_t limit : memory_limits(device)) {
      net.memory_limit = limit;
      try {
        const Tensor again = run(x);
        CHECK(same_bits(again, all));
        ++runs;
      } catch (const Error&) {  // one image alone needs more
        CHECK(runs == 0);
      }
    }
    CHECK(runs >= 3);
  }
}

TEST_CASE("integrated_gradients: progress rises to one, and a probe sees every step once") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  std::vector<double> done;
  std::vector<int64_t> rows;
  const auto look = [&](Execution& e, int64_t first) {
    for (int64_t i = 0; i < e.plan().batch(); ++i) rows.push_back(first + i);
  };
  integrated_gradients(
      net, formula_input({2, 3, 14, 11}),
      {.steps = 20, .probe = {.look = look}, .progress = [&](double part) { done.push_back(part); }});
  REQUIRE(rows.size() == 40);
  for (size_t i = 0; i < rows.size(); ++i) CHECK(rows[i] == static_cast<int64_t>(i));
  REQUIRE(done.size() >= 2);
  CHECK(std::ranges::is_sorted(done));
  CHECK(done.back() == 1);
}

TEST_CASE("integrated_gradients: what does not fit") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({2, 3, 14, 11});
  CHECK(usage_error([&] { integrated_gradients(net, x, {.steps = 0}); }) ==
        "a quadrature needs at least one step, not 0");
  CHECK(usage_error([&] {
          integrated_gradients(net, x, {.baseline = formula_input({3, 3, 14, 11})});
        }) == "the baseline of integrated gradients is (3, 3, 14, 11), but the images are (2, 3, 14, 11)");
}

TEST_CASE("integrated_gradients: baselines by name and from a picture") {
  ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  net.preprocessing.resize = 14;
  const Tensor x = formula_input({1, 3, 14, 11});
  const Method& method = find_method("integrated_gradients");
  const auto run = [&](const std::string& baseline) {
    Options options("integrated_gradients", method.options);
    options.set("steps", "3");
    options.set("baseline", baseline);
    return method.run({net, x, 1, net.logits(x)}, options);
  };
  CHECK(same_bits(run("zero").maps[0].values,
                  integrated_gradients(net, x, {.target = 1, .steps = 3}).attribution.row(0)));
  const Tensor black(Dtype::f32, x.shape());
  for (int64_t i = 0; i < black.numel(); ++i)
    black.values<float>()[i] =
        static_cast<float>(std::array{-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225}[i / 154]);
  const Explanation answer = run("black");
  const auto direct = integrated_gradients(net, x, {.target = 1, .steps = 3, .baseline = black});
  CHECK(same_bits(answer.maps[0].values, direct.attribution.row(0)));
  REQUIRE(answer.checks.size() == 1);
  CHECK(answer.checks[0].name == "completeness_residual");
  CHECK(answer.checks[0].value == direct.residuals[0]);

  const std::string path = std::string(LOUPE_BINARY_DIR) + "/baseline_of_integrated_gradients.png";
  write_png(path, {14, 14, std::vector<uint8_t>(14 * 14 * 3, 128)});
  net.preprocessing.crop = 14;
  CHECK(usage_error([&] { run(path); }).ends_with("becomes (1, 3, 14, 14), but the input is (1, 3, 14, 11)"));
  CHECK_THROWS_WITH_AS(run("/no/such/picture.png"), doctest::Contains("/no/such/picture.png"), Error);
}

TEST_CASE("integrated_gradients: trapezoid, midpoint, left and right") {
  const auto rule = [](const char* name, std::vector<double> points, std::vector<double> weights) {
    CAPTURE(name);
    const Quadrature q = quadrature(name, 4);
    REQUIRE(q.points.size() == points.size());
    for (size_t i = 0; i < points.size(); ++i) {
      CHECK(q.points[i] == points[i] / 8);
      CHECK(q.weights[i] == weights[i] / 8);
    }
  };
  rule("trapezoid", {0, 2, 4, 6, 8}, {1, 2, 2, 2, 1});
  rule("midpoint", {1, 3, 5, 7}, {2, 2, 2, 2});
  rule("left", {0, 2, 4, 6}, {2, 2, 2, 2});
  rule("right", {2, 4, 6, 8}, {2, 2, 2, 2});
  CHECK(quadrature("gauss_legendre", 3).points == gauss_legendre(3).points);
  CHECK(usage_error([] { quadrature("simpson", 3); }).starts_with("there is no quadrature 'simpson'"));
  CHECK(usage_error([] { quadrature("left", 0); }) == "a quadrature needs at least one step, not 0");
}

// What the definition says, one gradient a point; the signals are added up behind the first convolution.
TEST_CASE("integrated_gradients: every quadrature is its sum of gradients") {
  const Tensor x = formula_input({2, 3, 14, 11}), baseline = formula_input({4, 3, 14, 11}).slice(3, 4);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    for (const char* rule : {"gauss_legendre", "trapezoid", "midpoint", "left", "right"}) {
      if (device == Device::sim() && rule != std::string("trapezoid")) continue;
      CAPTURE(rule);
      const IntegratedGradientsResult r =
          integrated_gradients(net, x, {.target = 3, .steps = 4, .baseline = baseline, .rule = rule});
      const Quadrature q = quadrature(rule, 4);
      const Tensor wanted = Tensor::zeros(Dtype::f64, x.shape());
      for (size_t k = 0; k < q.points.size(); ++k) {
        const Tensor point(Dtype::f64, x.shape());
        for (int64_t i = 0; i < x.numel(); ++i)
          point.values<double>()[i] =
              baseline.item(i % 462) + q.points[k] * (x.item(i) - baseline.item(i % 462));
        const Tensor g = gradient(net, point, {.target = 3});
        for (int64_t i = 0; i < x.numel(); ++i)
          wanted.values<double>()[i] += q.weights[k] * g.item(i) * (x.item(i) - baseline.item(i % 462));
      }
      CHECK(relative_l2(r.attribution, wanted) < (device == Device::ref() ? 1e-14 : 1e-6));
      CHECK(r.gradients == std::vector<int64_t>(2, static_cast<int64_t>(q.points.size())));
    }
  }
}

TEST_CASE("integrated_gradients: where the signals of a network's beginning are added up") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Graph& graph = net.graph();
  const auto node = affine_beginning(graph, graph.output());
  REQUIRE(node);
  const std::string_view kind = graph.node(*node).op->kind().name;
  CHECK((kind == "conv2d" || kind == "batch_norm"));
  CHECK(!affine_beginning(graph, graph.inputs()[0] + 1));
  CHECK(!affine_beginning(linear_graph(6, 5), 5));
}

// The chord of a network with ReLUs is not that of the whole, so few intervals differ from the integral; but their shares
// always add up, and the integral is reached with far fewer of them.
TEST_CASE("integrated_gradients: secant is complete with any number of intervals, and converges faster") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    Tensor truth;
    if (device != Device::sim())
      truth = integrated_gradients(net, x, {.target = 3, .steps = 4000, .rule = "midpoint"}).attribution;
    for (const int64_t steps : {1, 2, 7, 40}) {
      CAPTURE(steps);
      if (device == Device::sim() && steps > 7) continue;
      const IntegratedGradientsResult r =
          integrated_gradients(net, x, {.target = 3, .steps = steps, .rule = "secant"});
      for (size_t n = 0; n < 2; ++n)
        CHECK(std::abs(r.residuals[n]) < (device == Device::ref() ? 1e-13 : 2e-5));
      CHECK(r.gradients[0] == steps);
      if (steps < 40 || !truth.defined()) continue;
      const double secant = relative_l2(r.attribution, truth),
                   points = relative_l2(integrated_gradients(net, x, {.target = 3, .steps = 40}).attribution,
                                        truth);
      MESSAGE(device.str() << ": secant " << secant << ", Gauss-Legendre " << points);
      CHECK(secant < 0.5 * points);
    }
  }
}

TEST_CASE("integrated_gradients: secant, the same bits in any batch and memory") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const auto run = [&](const Tensor& images) {
      return integrated_gradients(net, images, {.target = 2, .steps = 11, .rule = "secant"}).attribution;
    };
    const Tensor all = run(x);
    CHECK(same_bits(run(x.slice(1, 2)).row(0), all.row(1)));
    if (device == Device::sim()) continue;  // slow
    int runs = 0;
    for (const int64_t limit : memory_limits(device)) {
      net.memory_limit = limit;
      try {
        const Tensor again = run(x);
        CHECK(same_bits(again, all));
        ++runs;
      } catch (const Error&) {  // two points need more
      }
    }
    CHECK(runs >= 2);
  }
}

TEST_CASE("integrated_gradients: adaptive bisects until the intervals' residuals are small") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    int64_t before = 0;
    for (const double tolerance : {0.1, 0.01}) {
      if (device == Device::sim() && tolerance < 0.1) continue;  // slow
      const IntegratedGradientsResult r =
          integrated_gradients(net, x, {.target = 3, .rule = "adaptive", .tolerance = tolerance});
      CHECK(r.met);
      for (size_t n = 0; n < 2; ++n) {
        CHECK(r.interval_residuals[n] <= tolerance * std::abs(r.scores[n] - r.baseline_scores[n]));
        CHECK(r.gradients[n] >= 8);
        CHECK(std::abs(r.residuals[n]) < (device == Device::ref() ? 1e-13 : 2e-5));
      }
      CHECK(r.gradients[0] >= before);
      before = r.gradients[0];
      if (device == Device::sim() || tolerance > 0.01) continue;
      const Tensor truth =
          integrated_gradients(net, x, {.target = 3, .steps = 4000, .rule = "midpoint"}).attribution;
      CHECK(relative_l2(r.attribution, truth) < 0.01);
    }
    const IntegratedGradientsResult r =
        integrated_gradients(net, x, {.target = 3, .rule = "adaptive", .tolerance = 0, .max_steps = 11});
    CHECK(!r.met);
    CHECK(r.gradients == std::vector<int64_t>{11, 11});
    CHECK(r.interval_residuals[0] > 0);
  }
}

// Attention has no chords: each interval takes the gradient at its middle.
TEST_CASE("integrated_gradients: adaptive of a transformer") {
  const Tensor x = formula_input({1, 3, 12, 8});
  Network net = with_formula_weights(small_transformer_graph(), Device::ref());
  CHECK(secant_unsuited(net.graph(), net.graph().inputs()[0], net.graph().output()));
  const Tensor truth = integrated_gradients(net, x, {.steps = 200}).attribution;
  int64_t before = 0;
  for (const double tolerance : {0.01, 0.001}) {
    const IntegratedGradientsResult r =
        integrated_gradients(net, x, {.rule = "adaptive", .tolerance = tolerance});
    const double difference = std::abs(r.scores[0] - r.baseline_scores[0]);
    MESSAGE("tolerance " << tolerance << ": " << r.gradients[0] << " gradients, intervals' residuals "
                         << r.interval_residuals[0] / difference << ", residual "
                         << r.residuals[0] / difference << ", map " << relative_l2(r.attribution, truth));
    CHECK(r.met);
    // Residuals fall with the square of the number.
    if (before != 0) CHECK(r.gradients[0] < 4 * before);
    before = r.gradients[0];
    CHECK(std::abs(r.residuals[0]) <= 1.5 * tolerance * difference);
    CHECK(relative_l2(r.attribution, truth) < 0.01);
  }
  CHECK(usage_error([&] {
          integrated_gradients(net, x, {.rule = "secant"});
        }).starts_with("the rule secant has chords for"));
}

TEST_CASE(
    "integrated_gradients: a set of baselines has the mean of their shares; what cannot be met is said") {
  ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Tensor x = formula_input({1, 3, 14, 11});
  const Method& method = find_method("integrated_gradients");
  const auto run = [&](const std::map<std::string, std::string>& chosen) {
    Options options("integrated_gradients", method.options);
    for (const auto& [name, text] : chosen) options.set(name, text);
    return method.run({.model = net, .input = x, .target = 1, .logits = net.logits(x)}, options);
  };
  const Tensor zero = run({{"steps", "3"}}).maps[0].values,
               black = run({{"steps", "3"}, {"baseline", "black"}}).maps[0].values,
               both = run({{"steps", "3"}, {"baseline", "zero,black"}}).maps[0].values;
  for (int64_t i = 0; i < both.numel(); ++i)
    CHECK(both.item(i) == doctest::Approx((zero.item(i) + black.item(i)) / 2).epsilon(1e-13));
  const Explanation met = run({{"rule", "adaptive"}});
  CHECK(met.unmet.empty());
  REQUIRE(met.checks.size() == 3);
  CHECK(met.checks[2].name == "gradients");
  REQUIRE(met.notes.size() == 1);
  const Explanation poor = run({{"rule", "adaptive"}, {"tolerance", "0"}, {"max_steps", "9"}});
  REQUIRE(poor.unmet.size() == 1);
  CHECK(poor.unmet[0].find("with 9 gradients the intervals' residuals add up to") != std::string::npos);
  CHECK(poor.maps[0].values.numel() == x.numel());
  CHECK(usage_error([&] {
          run({{"rule", "simpson"}});
        }).starts_with("there is no rule 'simpson' of an integral"));
  CHECK(usage_error([&] { run({{"max_steps", "0"}}); }).find("max_steps") != std::string::npos);
}

// ---- of a layer

TEST_CASE(
    "layer_integrated_gradients: of the input it is integrated_gradients, and shares add up at every cut") {
  const Tensor x = formula_input({2, 3, 14, 11}), baseline = formula_input({4, 3, 14, 11}).slice(3, 4);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{.residual = false}.graph(), device);
    const Graph& graph = net.graph();
    const double near = device == Device::ref() ? 1e-12 : 2e-5;
    for (NodeId n = 0; n < graph.output(); ++n) {
      if (!graph.node(n).op || (device == Device::sim() && graph.node(n).op->kind().name != "max_pool2d"))
        continue;
      CAPTURE(graph.node(n).name);
      const PathResult r = layer_integrated_gradients(net, x,
                                                      {.target = 3,
                                                       .layer = graph.node(n).name,
                                                       .baseline = baseline,
                                                       .path = {.rule = "secant", .steps = 2}});
      for (size_t i = 0; i < 2; ++i) CHECK(std::abs(r.residuals[i]) < near);
      CHECK(r.attribution.shape()[0] == 2);
    }
  }
}

// By hand: each point's gradient comes from a pass whose layer is set to it.
TEST_CASE("layer_integrated_gradients: the straight way between two activations") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Graph& graph = net.graph();
    NodeId layer = -1;
    for (NodeId n = 0; n < graph.size(); ++n)
      if (graph.node(n).op && graph.node(n).op->kind().name == "max_pool2d") layer = n;
    const Purpose read{.values = {layer}};
    const auto value = [&](const Tensor& image) {
      Execution& pass = net.execution(image.shape(), read);
      pass.forward(image);
      return pass.value(layer).to(Dtype::f64);
    };
    const PathResult r = layer_integrated_gradients(
        net, x, {.target = 3, .layer = graph.node(layer).name, .path = {.steps = 3}});
    const Quadrature q = gauss_legendre(3);
    for (int64_t n = 0; n < 2; ++n) {
      const Tensor image = x.slice(n, n + 1), a = value(image),
                   a0 = value(Tensor::zeros(Dtype::f32, image.shape()));
      const Tensor wanted = Tensor::zeros(Dtype::f64, a.shape());
      const Purpose edited{.values = {graph.output()},
                           .from = graph.output(),
                           .gradients = {layer},
                           .edits = {{Port(layer), Edit::Kind::set}}};
      for (size_t k = 0; k < 3; ++k) {
        const Tensor point(Dtype::f64, a.shape());
        for (int64_t i = 0; i < a.numel(); ++i)
          point.values<double>()[i] = a0.item(i) + q.points[k] * (a.item(i) - a0.item(i));
        Execution& pass = net.execution(image.shape(), edited);
        pass.edit(0, Cells::everything(), point);
        pass.forward(image);
        pass.backward(Target(3).seed(pass.value(graph.output())));
        const Tensor g = pass.gradient(layer);
        for (int64_t i = 0; i < a.numel(); ++i)
          wanted.values<double>()[i] += q.weights[k] * g.item(i) * (a.item(i) - a0.item(i));
      }
      CHECK(relative_l2(r.attribution.slice(n, n + 1), wanted) < (device == Device::ref() ? 1e-13 : 1e-6));
    }
    CHECK_THROWS_AS(layer_integrated_gradients(net, x, {.layer = "nowhere"}), UsageError);
  }
}

}  // namespace
}  // namespace loupe::test
