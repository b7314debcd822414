#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/methods/occlusion.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

// On a linear network the score falls by exactly what the covered pixels had contributed over the fill.
void check_linear(Device device, OcclusionOptions options, Shape grid) {
  const int64_t h = 13, w = 10, cls = 2;
  Network net = with_formula_weights(linear_graph(h, w), device);
  const Tensor x = formula_input({2, 3, h, w}), weight = net.parameter("fc.weight").row(cls);
  options.target = cls;
  const OcclusionResult r = occlusion(net, x, options);
  REQUIRE(r.logit.shape() == grid);
  REQUIRE(r.probability.shape() == grid);
  REQUIRE(r.attribution.shape() == Shape{2, h, w});
  // A score is a sum of 390 products and a bias; the drop of two of them carries twice its error.
  const double unit = device.backend == Backend::ref ? 0x1p-53 : 0x1p-24;
  for (int64_t n = 0; n < 2; ++n) {
    double size = std::abs(net.parameter("fc.bias").item(cls)), score = net.parameter("fc.bias").item(cls);
    for (int64_t i = 0; i < 3 * h * w; ++i) {
      size += std::abs(weight.item(i)) * std::max(std::abs(x.row(n).item(i)), std::abs(options.fill));
      score += weight.item(i) * x.row(n).item(i);
    }
    const double bound = 2 * 393 * unit * size;
    std::vector<double> drops(static_cast<size_t>(h * w), 0.0), counts(static_cast<size_t>(h * w), 0.0);
    for (int64_t i = 0; i < grid[1]; ++i)
      for (int64_t j = 0; j < grid[2]; ++j) {
        double patch = 0;
        const auto each_covered = [&](const auto& body) {
          for (int64_t y = i * options.stride; y < std::min(h, i * options.stride + options.window); ++y)
            for (int64_t c = j * options.stride; c < std::min(w, j * options.stride + options.window); ++c)
              body(y * w + c);
        };
        each_covered([&](int64_t p) {
          for (int64_t c = 0; c < 3; ++c)
            patch += weight.item(c * h * w + p) * (x.row(n).item(c * h * w + p) - options.fill);
        });
        each_covered([&](int64_t p) {
          drops[static_cast<size_t>(p)] += patch;
          counts[static_cast<size_t>(p)] += 1;
        });
        CHECK(std::abs(r.logit.row(n).item(i * grid[2] + j) - (score - patch)) <= bound);
      }
    for (size_t p = 0; p < drops.size(); ++p) {
      REQUIRE(counts[p] > 0);
      CHECK(std::abs(r.attribution.row(n).item(static_cast<int64_t>(p)) - drops[p] / counts[p]) <= 2 * bound);
    }
  }
}

TEST_CASE("occlusion: of a linear network, the exact sum over the patch") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    check_linear(device, {.window = 4, .stride = 3}, {2, 4, 3});  // (13 − 4) / 3 + 1, (10 − 4) / 3 + 1
    check_linear(device, {.window = 4, .stride = 3, .fill = -1.5}, {2, 4, 3});
    check_linear(device, {.window = 4, .stride = 4}, {2, 4, 3});  // the last squares are cut at the edges
    check_linear(device, {.window = 5, .stride = 5, .fill = 2}, {2, 3, 2});  // cut below only
    check_linear(device, {.window = 1, .stride = 1}, {2, 13, 10});
    check_linear(device, {.window = 10, .stride = 1}, {2, 4, 1});  // as wide as the image
  }
}

TEST_CASE("occlusion: a square of the image's size takes any stride") {
  Network net = with_formula_weights(linear_graph(6, 6), Device::cpu());
  const OcclusionResult r =
      occlusion(net, formula_input({1, 3, 6, 6}), {.target = 0, .window = 6, .stride = 50});
  CHECK(r.logit.shape() == Shape{1, 1, 1});
  CHECK(r.logit.item() == net.parameter("fc.bias").item(0));
}

TEST_CASE("occlusion: the probability is the softmax of the occluded image's scores") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor x = formula_input({1, 3, 14, 11});
    const OcclusionResult r = occlusion(net, x, {.target = 1, .window = 5, .stride = 3, .fill = 0.25});
    const Tensor hidden = x.clone();  // the square at place (2, 1)
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 6; y < 11; ++y)
        for (int64_t column = 3; column < 8; ++column)
          hidden.values<float>()[(c * 14 + y) * 11 + column] = 0.25f;
    const Tensor logits = net.logits(hidden);
    double sum = 0;
    for (const double v : values_of(logits)) sum += std::exp(v);
    REQUIRE(r.logit.shape() == Shape{1, 4, 3});
    CHECK(r.logit.item(2 * 3 + 1) == logits.item(1));
    CHECK(r.probability.item(2 * 3 + 1) ==
          doctest::Approx(std::exp(logits.item(1)) / sum).epsilon(1e-6).scale(0));
  }
}

TEST_CASE("occlusion: with one class the probability is a sigmoid") {
  Graph graph;
  const NodeId x = graph.input("input", {1, 3, 6, 6});
  graph.add("fc", linear({.out_features = 1}), {graph.add("flatten", flatten(), {x})});
  Network net = with_formula_weights(std::move(graph), Device::ref());
  const OcclusionResult r =
      occlusion(net, formula_input({1, 3, 6, 6}), {.target = 0, .window = 3, .stride = 3});
  for (int64_t i = 0; i < 4; ++i)
    CHECK(r.probability.item(i) == doctest::Approx(1 / (1 + std::exp(-r.logit.item(i)))).epsilon(1e-12));
}

TEST_CASE("occlusion: the same bits in any batch and memory, and top1 of the whole image") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const OcclusionOptions options{.window = 6, .stride = 4};
    const OcclusionResult all = occlusion(net, x, options);
    for (int64_t n = 0; n < 3; ++n) {
      const OcclusionResult one = occlusion(net, x.slice(n, n + 1), options);
      CHECK(same_bits(one.logit.row(0), all.logit.row(n)));
      CHECK(same_bits(one.probability.row(0), all.probability.row(n)));
      CHECK(same_bits(one.attribution.row(0), all.attribution.row(n)));
    }
    int runs = 0;
    for (const int64_t limit : memory_limits(device)) {
      net.memory_limit = limit;
      try {
        const OcclusionResult again = occlusion(net, x, options);
        CHECK(same_bits(again.logit, all.logit));
        CHECK(same_bits(again.attribution, all.attribution));
        ++runs;
      } catch (const Error&) {  // one image alone needs more
        CHECK(runs == 0);
      }
    }
    CHECK(runs >= 3);
  }
}

// One channel's square by hand, and a picture under the square.
TEST_CASE("occlusion: each channel for itself, and another picture under the square") {
  const Tensor x = formula_input({2, 3, 14, 11}), other = formula_input({3, 3, 14, 11}).slice(2, 3);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    OcclusionOptions options{.target = 1, .window = 4, .stride = 4, .picture = other, .each_channel = true};
    const OcclusionResult r = occlusion(net, x, options);
    REQUIRE(r.logit.shape() == Shape{2, 3, 4, 3});
    REQUIRE(r.attribution.shape() == Shape{2, 3, 14, 11});
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t c = 0; c < 3; ++c) {
        const Tensor hidden = x.slice(n, n + 1).clone();
        for (int64_t y = 12; y < 14; ++y)  // the last square of the first column, cut below
          for (int64_t col = 0; col < 4; ++col) {
            const int64_t at = (c * 14 + y) * 11 + col;
            hidden.values<float>()[static_cast<size_t>(at)] = other.values<float>()[static_cast<size_t>(at)];
          }
        CHECK(r.logit.row(n).item(c * 12 + 9) == net.logits(hidden).item(1));
      }
    options.each_channel = false;
    const OcclusionResult all = occlusion(net, x, options);
    options.picture = {};
    options.fill = 0.5;
    const OcclusionResult filled = occlusion(net, x, options);
    options.picture = Tensor(Dtype::f32, {1, 3, 14, 11});
    std::ranges::fill(options.picture.values<float>(), 0.5f);
    CHECK(same_bits(filled.logit, occlusion(net, x, options).logit));
    CHECK_FALSE(same_bits(filled.logit, all.logit));
  }
}

TEST_CASE("occlusion: progress rises to one") {
  Network net = with_formula_weights(linear_graph(8, 8), Device::cpu());
  std::vector<double> done;
  occlusion(net, formula_input({1, 3, 8, 8}),
            {.window = 2, .stride = 1, .progress = [&](double part) { done.push_back(part); }});
  REQUIRE(done.size() >= 2);
  CHECK(std::ranges::is_sorted(done));
  CHECK(done.back() == 1);
}

TEST_CASE("occlusion: options that do not fit") {
  Network net = with_formula_weights(linear_graph(6, 8), Device::cpu());
  const Tensor x = formula_input({1, 3, 6, 8});
  const auto refusal = [&](const OcclusionOptions& options) {
    return usage_error([&] { occlusion(net, x, options); });
  };
  CHECK(refusal({.window = 7, .stride = 2}) ==
        "occlusion: a window of 7 pixels does not fit an image side of 6");
  CHECK(refusal({.window = 0, .stride = 2}) ==
        "occlusion: a window of 0 pixels does not fit an image side of 6");
  CHECK(refusal({.window = 2, .stride = 0}) == "occlusion: the stride is at least 1, not 0");
  CHECK(refusal({.window = 2, .stride = 3})
            .starts_with("occlusion: a stride of 3 leaves gaps between windows of 2 pixels"));
  CHECK(refusal({.window = 2, .stride = 2, .fill = NAN}) == "occlusion: the fill must be a finite number");
}

}  // namespace
}  // namespace loupe::test
