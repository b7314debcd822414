// Feature ablation, KernelSHAP, LIME, Shapley value sampling and RISE on small networks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/methods/feature_ablation.h"
#include "engine/methods/kernel_shap.h"
#include "engine/methods/lime.h"
#include "engine/methods/regression.h"
#include "engine/methods/rise.h"
#include "engine/methods/shapley_value_sampling.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

// What rounding leaves of a score of the small networks here, relative to scores.
double unit(Device device) { return device.backend == Backend::ref ? 1e-13 : 2e-5; }

// Four segments that are no rectangles, on 14×11 pixels.
Segments rings(int64_t height = 14, int64_t width = 11) {
  Segments s{.height = height, .width = width, .count = 4, .labels = {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      s.labels.push_back(static_cast<int32_t>(
          std::min<int64_t>(3, std::min(std::min(x, width - 1 - x), std::min(y, height - 1 - y)))));
  return s;
}

// The image with the segments whose bits are set, and the baseline elsewhere.
Tensor composed(const Tensor& x, const Tensor& baseline, const Segments& s, uint32_t bits) {
  const Tensor made = x.clone();
  const int64_t plane = s.height * s.width;
  for (int64_t i = 0; i < made.numel(); ++i)
    if (!(bits >> s.labels[static_cast<size_t>(i % plane)] & 1))
      made.values<float>()[static_cast<size_t>(i)] =
          baseline.defined() ? static_cast<float>(baseline.item(i)) : 0.0f;
  return made;
}

// f of every coalition of an image's segments, and the Shapley values by their definition:
// φ_j = Σ over the coalitions S without j of |S|! (n − 1 − |S|)! / n! · (f(S with j) − f(S)).
struct Exact {
  std::vector<double> scores, shapley;
};
Exact exact(Network& net, const Tensor& x, const Tensor& baseline, const Segments& s, int64_t cls) {
  const auto n = static_cast<uint32_t>(s.count);
  Exact e{.scores = {}, .shapley = std::vector<double>(n, 0.0)};
  for (uint32_t bits = 0; bits < 1u << n; ++bits)
    e.scores.push_back(net.logits(composed(x, baseline, s, bits)).item(cls));
  for (uint32_t j = 0; j < n; ++j)
    for (uint32_t bits = 0; bits < 1u << n; ++bits) {
      if (bits >> j & 1) continue;
      const int size = std::popcount(bits);
      const double weight =
          std::tgamma(size + 1) * std::tgamma(n - static_cast<uint32_t>(size)) / std::tgamma(n + 1);
      e.shapley[j] += weight * (e.scores[bits | 1u << j] - e.scores[bits]);
    }
  return e;
}

Tensor some_baseline(const Tensor& x) {
  const Tensor b(Dtype::f32, x.shape().with(0, 1));
  for (int64_t i = 0; i < b.numel(); ++i)
    b.values<float>()[static_cast<size_t>(i)] = 0.3f - 0.01f * static_cast<float>(i % 17);
  return b;
}

// A map's values, one a segment.
std::vector<double> by_segment(const Tensor& map, const Segments& s) {
  if (s.is_grid()) return values_of(map);
  std::vector<double> values(static_cast<size_t>(s.count), 0.0);
  for (size_t p = 0; p < s.labels.size(); ++p)
    values[static_cast<size_t>(s.labels[p])] = map.item(static_cast<int64_t>(p));
  return values;
}

void check_near(std::span<const double> got, std::span<const double> expected, double bound) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(got[i] - expected[i]) <= bound);
  }
}

double largest(std::span<const double> values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

// What each segment contributes to a linear network's score over the baseline.
std::vector<double> contributions(const Network& net, const Tensor& x, const Tensor& baseline,
                                  const Segments& s, int64_t cls) {
  const Tensor weight = net.parameter("fc.weight").row(cls);
  std::vector<double> sums(static_cast<size_t>(s.count), 0.0);
  for (int64_t i = 0; i < weight.numel(); ++i)
    sums[static_cast<size_t>(s.labels[static_cast<size_t>(i % (s.height * s.width))])] +=
        weight.item(i) * (x.item(i) - (baseline.defined() ? baseline.item(i) : 0));
  return sums;
}

TEST_CASE("of a linear network every method finds what a segment contributes") {
  const Tensor x = formula_input({1, 3, 13, 10});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(13, 10), device);
    for (const Tensor& baseline : {Tensor(), some_baseline(x)})
      for (const Segments& s : {grid_segments(13, 10, 3), rings(13, 10)}) {
        const std::vector<double> expected = contributions(net, x, baseline, s, 2);
        const double bound = unit(device) * (1 + largest(expected));
        const Tensor drops =
            feature_ablation(net, x, s, {.target = 2, .baseline = baseline}).attribution.row(0);
        CHECK(drops.shape() == (s.is_grid() ? Shape{3, 3} : Shape{13, 10}));
        check_near(by_segment(drops, s), expected, bound);

        const KernelShapResult shap =
            kernel_shap(net, x, s, {.target = 2, .samples = 40, .baseline = baseline});
        CHECK(shap.unique);
        CHECK(shap.explained[0] == doctest::Approx(1).epsilon(1e-6));
        check_near(by_segment(shap.attribution.row(0), s), expected, 10 * bound);

        const ShapleyResult orders =
            shapley_value_sampling(net, x, s, {.target = 2, .samples = 3, .baseline = baseline});
        check_near(by_segment(orders.attribution.row(0), s), expected, 4 * bound);
        CHECK(largest(values_of(orders.standard_error)) <= 4 * bound);
        CHECK(std::abs(orders.residuals[0]) <= bound);

        const LimeResult slopes = lime(
            net, x, s, {.target = 2, .samples = 200, .kernel_width = 1, .ridge = 1e-9, .baseline = baseline});
        check_near(by_segment(slopes.attribution.row(0), s), expected, 10 * bound + 1e-7);
        CHECK(slopes.explained[0] == doctest::Approx(1).epsilon(1e-6));
        const double none = net.logits(composed(x, baseline, s, 0)).item(2);
        CHECK(std::abs(slopes.intercept.item() - none) <= 10 * bound + 1e-7);
      }
  }
}

TEST_CASE("KernelSHAP over all coalitions is the Shapley values, and sampled orders tend to them") {
  const Tensor x = formula_input({1, 3, 14, 11});
  Network on_ref = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    for (const Tensor& baseline : {Tensor(), some_baseline(x)})
      for (const Segments& s : {grid_segments(14, 11, 2), rings()}) {
        const Exact e = exact(net, x, baseline, s, 1);
        const double bound = unit(device) * largest(e.scores);
        const KernelShapResult all =
            kernel_shap(net, x, s, {.target = 1, .all_coalitions = true, .baseline = baseline});
        CHECK(all.value.shape() == Shape{1, 14});
        CHECK(all.value.item(4) == net.logits(composed(x, baseline, s, 5)).item(1));
        CHECK(all.explained[0] < 1);
        check_near(by_segment(all.attribution.row(0), s), e.shapley, 20 * bound);

        for (const bool antithetic : {false, true}) {
          ShapleyOptions options{.target = 1, .samples = 20, .antithetic = antithetic, .baseline = baseline};
          const ShapleyResult few = shapley_value_sampling(net, x, s, options);
          CHECK(std::abs(few.residuals[0]) <= bound);
          check_near(values_of(few.attribution),
                     values_of(shapley_value_sampling(on_ref, x, s, options).attribution), 20 * bound);
          if (device.backend == Backend::sim) continue;  // the same draws, but slowly
          options.samples = 400;
          const ShapleyResult many = shapley_value_sampling(net, x, s, options);
          const std::vector<double> shares = by_segment(many.attribution.row(0), s),
                                    errors = by_segment(many.standard_error.row(0), s);
          for (size_t j = 0; j < 4; ++j) {
            CHECK(std::abs(shares[j] - e.shapley[j]) <= 4 * errors[j] + bound);
            CHECK(errors[j] <= largest(e.scores) / std::sqrt(50));
          }
        }
      }
  }
}

TEST_CASE("sampled shares converge as one over the root of the orders") {
  const Tensor x = formula_input({1, 3, 14, 11});
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Segments s = grid_segments(14, 11, 2);
  const Exact e = exact(net, x, {}, s, 3);
  const auto error = [&](int64_t samples) {
    const ShapleyResult r = shapley_value_sampling(net, x, s, {.target = 3, .samples = samples});
    return std::pair(largest(values_of(r.standard_error)), by_segment(r.attribution, s));
  };
  const auto [coarse, few] = error(50);
  const auto [fine, many] = error(3200);
  CHECK(fine < coarse / 5);
  CHECK(fine > coarse / 13);
  for (size_t j = 0; j < 4; ++j) CHECK(std::abs(many[j] - e.shapley[j]) <= 4 * fine);
}

// Two columns and the sum of shares, by hand: φ = (a, total − a); Σ w (v − intercept − z·φ)² is least where its slope in
// a is zero.
TEST_CASE("regressions by hand") {
  const std::vector<uint8_t> members{1, 0, 0, 1};
  const std::vector<double> weights{1, 3}, values{5, 4};
  // Residuals 5 − 1 − a and 4 − 1 − (6 − a): −2 (4 − a) + 6 (a − 3) = 0, a = 26/8.
  const LinearFit shares = fit_shares({2, members, weights, values}, 1, 6);
  CHECK(shares.unique);
  CHECK(shares.coefficients[0] == doctest::Approx(3.25));
  CHECK(shares.coefficients[1] == doctest::Approx(2.75));
  // One row of two columns that tells nothing of the difference.
  const LinearFit open = fit_shares(
      {2, std::span(members).subspan(1, 2), std::span(weights).first(1), std::span(values).first(1)}, 0, 6);
  CHECK_FALSE(open.unique);
  CHECK(open.coefficients[0] == doctest::Approx(3));
  // Ridge, one column seen twice: values 5 with it and 4 without, weights 1 and 3, ridge 2:
  // b + a/(1): normal equations (1 + 2) a + b = 5, a + 4 b = 5 + 12 → 11 a = 3.
  const std::vector<uint8_t> one{1, 0};
  const LinearFit ridge = fit_ridge({1, one, weights, values}, 2);
  CHECK(ridge.coefficients[0] == doctest::Approx(3.0 / 11));
  CHECK(ridge.intercept == doctest::Approx((17 - 3.0 / 11) / 4));
}

TEST_CASE("KernelSHAP of too few coalitions: shares that still add up, and it says so") {
  const Tensor x = formula_input({1, 3, 14, 11});
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Segments s = grid_segments(14, 11, 4);
  const KernelShapResult r = kernel_shap(net, x, s, {.target = 0, .samples = 5});
  CHECK_FALSE(r.unique);
  const std::vector<double> shares = values_of(r.attribution);
  const double difference = net.logits(x).item(0) - net.logits(Tensor::zeros(Dtype::f32, x.shape())).item(0);
  CHECK(std::accumulate(shares.begin(), shares.end(), 0.0) == doctest::Approx(difference).epsilon(1e-10));
}

// The mask's definition, pixel by pixel.
double mask_at(const Draws& draws, int64_t i, int64_t g, double p, Shape size, int64_t y, int64_t x) {
  const auto place = [&](int64_t at, int64_t side, int64_t which) {
    const int64_t cell = ceil_div(side, g);
    const auto shift = std::floor(static_cast<double>(cell) * draws.uniform("rise.shift", 2 * i + which));
    const double middle = (static_cast<double>(at) + shift + 0.5) * static_cast<double>(g) /
                              static_cast<double>((g + 1) * cell) -
                          0.5;
    return std::clamp(middle, 0.0, static_cast<double>(g - 1));
  };
  const double v = place(y, size[0], 0), u = place(x, size[1], 1);
  double sum = 0;
  for (int64_t r = 0; r < g; ++r)
    for (int64_t q = 0; q < g; ++q)
      if (draws.uniform("rise.grid", g * g * i + g * r + q) < p)
        sum += std::max(0.0, 1 - std::abs(v - static_cast<double>(r))) *
               std::max(0.0, 1 - std::abs(u - static_cast<double>(q)));
  return sum;
}

TEST_CASE("RISE: masks and their average, by the definition") {
  const int64_t h = 13, w = 10, samples = 7, g = 3;
  const Tensor x = formula_input({1, 3, h, w});
  for (const Device device : devices())
    for (const bool by_score : {false, true}) {
      CAPTURE(device.str());
      Network net = with_formula_weights(linear_graph(h, w), device);
      const Draws draws("12");
      const RiseResult r = rise(net, x,
                                {.target = 1,
                                 .samples = samples,
                                 .grid = g,
                                 .probability = 0.6,
                                 .by_score = by_score,
                                 .draws = draws});
      REQUIRE(r.attribution.shape() == Shape{1, h, w});
      REQUIRE(r.logit.shape() == Shape{1, samples});
      std::vector<double> expected(static_cast<size_t>(h * w), 0.0);
      for (int64_t i = 0; i < samples; ++i) {
        Tensor seen = x.to(Dtype::f64).clone();
        std::vector<double> mask;
        for (int64_t p = 0; p < h * w; ++p) mask.push_back(mask_at(draws, i, g, 0.6, {h, w}, p / w, p % w));
        for (int64_t k = 0; k < seen.numel(); ++k)
          seen.values<double>()[static_cast<size_t>(k)] *= mask[static_cast<size_t>(k % (h * w))];
        const Tensor logits = net.logits(seen);
        CHECK(r.logit.item(i) == doctest::Approx(logits.item(1)).epsilon(10 * unit(device)));
        double sum = 0;
        for (const double v : values_of(logits)) sum += std::exp(v - logits.item(1));
        CHECK(r.probability.item(i) == doctest::Approx(1 / sum).epsilon(20 * unit(device)));
        for (size_t p = 0; p < mask.size(); ++p)
          expected[p] +=
              mask[p] * (by_score ? logits.item(1) : 1 / sum) / (0.6 * static_cast<double>(samples));
      }
      check_near(values_of(r.attribution), expected, 40 * unit(device) * largest(expected));
    }
}

TEST_CASE("RISE: agreement of the two halves of the masks tells chance from a map") {
  // A network that sees one corner: its map is the same whatever the masks.
  Network net = with_formula_weights(linear_graph(12, 12), Device::cpu());
  const Tensor weight = Tensor::zeros(Dtype::f32, net.parameter("fc.weight").shape());
  for (int64_t y = 0; y < 4; ++y)
    for (int64_t c = 0; c < 4; ++c) weight.values<float>()[static_cast<size_t>(y * 12 + c)] = 1;
  net.set_parameter("fc.weight", weight);
  const Tensor ones = Tensor::from(std::vector<double>(432, 1.0), {1, 3, 12, 12}).to(Dtype::f32);
  const auto agreement = [&](int64_t samples) {
    return rise(net, ones, {.target = 0, .samples = samples, .grid = 4, .by_score = true}).agreement[0];
  };
  CHECK(agreement(2000) > 0.9);
  CHECK(agreement(2000) > agreement(8));
  CHECK(agreement(1) == 0);  // there is but one half
}

// The maps of every method here, of images and a target.
std::vector<Tensor> maps(Network& net, const Tensor& x, const Target& target) {
  const Segments s = grid_segments(14, 11, 3);
  const KernelShapResult shap = kernel_shap(net, x, s, {.target = target, .samples = 12});
  const LimeResult slopes = lime(net, x, s, {.target = target, .samples = 12});
  const ShapleyResult orders = shapley_value_sampling(net, x, s, {.target = target, .samples = 2});
  const RiseResult masks = rise(net, x, {.target = target, .samples = 12, .grid = 3});
  return {feature_ablation(net, x, s, {.target = target}).attribution,
          shap.attribution,
          shap.value,
          slopes.attribution,
          slopes.value,
          slopes.intercept,
          orders.attribution,
          orders.standard_error,
          masks.attribution,
          masks.logit};
}

TEST_CASE("perturbation: the same bits in any batch and memory, and top1 of the whole image") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const std::vector<Tensor> all = maps(net, x, top1);
    const auto classes = Target(top1).classes(net.logits(x));
    for (int64_t n = 0; n < 3; ++n) {
      const std::vector<Tensor> one = maps(net, x.slice(n, n + 1), classes[static_cast<size_t>(n)]);
      for (size_t i = 0; i < all.size(); ++i) {
        CAPTURE(i);
        CHECK(same_bits(one[i], all[i].slice(n, n + 1)));
      }
    }
    int runs = 0;
    for (const int64_t limit : memory_limits(device)) {
      net.memory_limit = limit;
      try {
        const std::vector<Tensor> again = maps(net, x, top1);
        for (size_t i = 0; i < all.size(); ++i) CHECK(same_bits(again[i], all[i]));
        ++runs;
      } catch (const Error&) {  // one image alone needs more
        CHECK(runs == 0);
      }
    }
    CHECK(runs >= 3);
  }
}

TEST_CASE("perturbation: any scalar is a target") {
  const Tensor x = formula_input({2, 3, 14, 11});
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const auto a = maps(net, x, 1), b = maps(net, x, 4), difference = maps(net, x, Target::difference(1, 4));
  for (size_t i = 0; i < a.size(); ++i) {
    if (i == 7 || i == 8) continue;  // a deviation; and RISE, which weighs classes by their probability
    CAPTURE(i);
    for (int64_t k = 0; k < a[i].numel(); ++k)
      CHECK(difference[i].item(k) == doctest::Approx(a[i].item(k) - b[i].item(k)).epsilon(1e-9));
  }
  CHECK_FALSE(rise(net, x, {.target = Target::difference(1, 4), .samples = 2}).probability.defined());
}

TEST_CASE("perturbation: options that do not fit") {
  Network net = with_formula_weights(linear_graph(6, 8), Device::cpu());
  const Tensor x = formula_input({1, 3, 6, 8});
  const Segments s = grid_segments(6, 8, 3), one = grid_segments(6, 8, 1), many = grid_segments(6, 8, 6);
  const auto refusal = [&](const auto& attempt) { return usage_error(attempt); };
  CHECK(refusal([&] { kernel_shap(net, x, one); }) ==
        "kernel_shap shares a score out among segments: one segment alone has all of it");
  CHECK(refusal([&] { kernel_shap(net, x, many, {.all_coalitions = true}); }) ==
        "kernel_shap: all coalitions are asked of at most 16 segments, not of 24");
  CHECK(refusal([&] { kernel_shap(net, x, s, {.samples = 0}); }) ==
        "kernel_shap draws at least 1 coalition, not 0");
  CHECK(refusal([&] { lime(net, x, s, {.samples = 0}); }) == "lime takes at least 1 sample, not 0");
  CHECK(refusal([&] { lime(net, x, s, {.ridge = 0}); }) ==
        "lime: the kernel's width and the ridge are positive numbers");
  CHECK(refusal([&] { lime(net, x, s, {.samples = 3, .kernel_width = 1e-4}); }) ==
        "lime: a kernel so narrow gives every sample the weight 0");
  CHECK(refusal([&] { shapley_value_sampling(net, x, s, {.samples = 0}); }) ==
        "shapley_value_sampling takes at least 1 order, not 0");
  CHECK(refusal([&] { shapley_value_sampling(net, x, s, {.samples = 3, .antithetic = true}); }) ==
        "shapley_value_sampling: antithetic orders come in pairs, 3 is odd");
  CHECK(refusal([&] { rise(net, x, {.samples = 0}); }) == "rise takes at least 1 mask, not 0");
  CHECK(refusal([&] { rise(net, x, {.grid = 7}); }) ==
        "rise: a grid of 7x7 cells does not fit a picture of 6x8 pixels");
  CHECK(refusal([&] { rise(net, x, {.grid = 2, .probability = 0}); }) ==
        "rise: the probability that a cell is let through is above 0 and at most 1");
  CHECK(refusal([&] { feature_ablation(net, x, grid_segments(8, 6, 2)); }) ==
        "segments of 8x6 pixels for images (1, 3, 6, 8)");
  CHECK(refusal([&] {
          feature_ablation(net, x, s, {.baseline = Tensor::zeros(Dtype::f32, {1, 3, 8, 6})});
        }) == "the baseline is (1, 3, 8, 6), but the images are (1, 3, 6, 8)");
}

}  // namespace
}  // namespace loupe::test
