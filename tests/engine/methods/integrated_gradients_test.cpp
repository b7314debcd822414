#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/image/image.h"
#include "engine/methods/integrated_gradients.h"
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

}  // namespace
}  // namespace loupe::test
