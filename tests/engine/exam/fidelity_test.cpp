// Metrics that ask the network again, by hand: on linear networks every drop is a sum over pixels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "engine/exam/infidelity.h"
#include "engine/exam/max_sensitivity.h"
#include "engine/exam/pixel_flipping.h"
#include "engine/exam/road.h"
#include "engine/exam/sensitivity_n.h"
#include "engine/methods/input_x_gradient.h"
#include "tests/support/networks.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

namespace {

constexpr int64_t kHeight = 6, kWidth = 5, kPixels = kHeight * kWidth;

Tensor noisy(int64_t height = kHeight, int64_t width = kWidth, uint64_t seed = 5) {
  std::vector<double> pixels;
  for (int64_t i = 0; i < 3 * height * width; ++i) pixels.push_back(noise(seed, static_cast<uint64_t>(i)));
  return tensor(pixels, {1, 3, height, width});
}

// Each pixel's share of a linear network's score.
Plane shares(Network& net, const Tensor& x, int64_t cls) {
  return reduce_channels(input_x_gradient(net, x, {.target = cls}).row(0), false);
}

}  // namespace

TEST_CASE("removal: a linear network loses the shares of what goes, whatever the batch") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(kHeight, kWidth), device);
    const Tensor x = noisy();
    const std::vector<PixelSet> sets{{0}, {3, 17, 29}, {}, {4, 5}};
    const Removals all = remove(net, x, 2, sets);
    const std::vector<double> sums = sums_over(shares(net, x, 2), sets);
    REQUIRE(all.drops.size() == sets.size());
    for (size_t s = 0; s < sets.size(); ++s) {
      CHECK(all.drops[s] == Approx(sums[s]).epsilon(1e-4));
      CHECK(remove(net, x, 2, {sets[s]}).drops[0] == all.drops[s]);
    }
    CHECK(all.drops[2] == 0);
    CHECK_THROWS_AS(remove(net, x, 2, {{kPixels}}), Error);
  }
}

TEST_CASE("removal: sets are drawn without replacement, squares lie inside the picture") {
  const std::vector<PixelSet> sets = random_sets(kPixels, 12, 40, Draws(), "a");
  std::set<PixelSet> different(sets.begin(), sets.end());
  CHECK(different.size() == 40);
  std::vector<int> often(kPixels);
  for (const PixelSet& set : sets) {
    CHECK(std::set<int32_t>(set.begin(), set.end()).size() == 12);
    for (const int32_t p : set) ++often.at(static_cast<size_t>(p));
  }
  for (const int n : often) CHECK(std::abs(n - 16) < 4 * std::sqrt(40 * 0.4 * 0.6));
  // The first draw of each set by hand: set s takes pixel floor(u·30) first.
  for (int64_t s = 0; s < 40; ++s)
    CHECK(sets[static_cast<size_t>(s)][0] ==
          static_cast<int32_t>(Draws().uniform("a", s * kPixels) * kPixels));
  CHECK(random_sets(kPixels, kPixels, 1, Draws(), "a")[0].size() == kPixels);

  for (const PixelSet& square : random_squares(24, 40, 30, Draws(), "b")) {
    const auto side = static_cast<int32_t>(std::lround(std::sqrt(static_cast<double>(square.size()))));
    CHECK(side * side == std::ssize(square));
    CHECK(side >= 3);
    CHECK(side <= 12);
    CHECK(square.front() % 40 + side <= 40);
    CHECK(square.back() == square.front() + (side - 1) * 41);
    CHECK(square.back() < 24 * 40);
  }
  CHECK(random_squares(24, 40, 5, Draws(), "b") != random_squares(24, 40, 5, Draws("1"), "b"));
}

TEST_CASE(
    "sensitivity-n: 1 for a linear network's shares, whatever their scale; -1 for the opposite, 0 for "
    "nothing") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(kHeight, kWidth), device);
    const Tensor x = noisy();
    const std::vector<int64_t> sizes = set_sizes(kPixels);
    CHECK(sizes.front() == 1);
    CHECK(sizes.back() == 24);
    CHECK(std::ranges::is_sorted(sizes));
    const Removals removals = random_removals(net, x, 1, sizes, 9);
    REQUIRE(removals.drops.size() == sizes.size() * 9);
    const Plane map = shares(net, x, 1);
    const auto found = [&](const Plane& m) { return sensitivity_n(m, removals, 9); };
    for (const double r : found(map)) CHECK(r == Approx(1).epsilon(1e-4));
    for (const double r : found(each(map, [](double v) { return -7 * v; })))
      CHECK(r == Approx(-1).epsilon(1e-4));
    // An even map has the same sum over every set of a size.
    for (const double r : found(each(map, [](double) { return 0.3; }))) CHECK(r == 0);
    const std::vector<double> other = found(shares(net, x, 0));
    CHECK(std::accumulate(other.begin(), other.end(), 0.0) < 0.9 * static_cast<double>(other.size()));
  }
}

TEST_CASE("infidelity: by hand, and of a linear network") {
  // Predicted 1, 2 and drops 1, 4: raw ((0)² + (2)²)/2; the best scale 9/5, of 17 the rest is 17 − 81/5.
  const Infidelity hand = infidelity(std::vector<double>{1, 2}, std::vector<double>{1, 4});
  CHECK(hand.raw == 2);
  CHECK(hand.scale == Approx(1.8));
  CHECK(hand.scaled == Approx(1 - 81.0 / 5 / 17));
  CHECK(hand.interval.mean == hand.scaled);
  CHECK(hand.interval.low <= hand.scaled);
  CHECK(hand.interval.high >= hand.scaled);
  CHECK(infidelity(std::vector<double>{0, 0}, std::vector<double>{1, 4}).scaled == 1);
  CHECK(infidelity(std::vector<double>{0, 0}, std::vector<double>{0, 0}).scaled == 0);
  CHECK(infidelity(std::vector<double>{3, 0}, std::vector<double>{0, 0}).scaled == 1);
  CHECK(infidelity(std::vector<double>{3, 0}, std::vector<double>{0, 0}).raw == 4.5);
  CHECK_THROWS_AS(infidelity(std::vector<double>{}, std::vector<double>{}), Error);

  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(kHeight, kWidth), device);
    const Tensor x = noisy();
    const Removals removals = remove(net, x, 3, random_squares(kHeight, kWidth, 20, Draws(), "infidelity"));
    const Plane map = shares(net, x, 3);
    const Infidelity exact = infidelity(sums_over(map, removals.sets), removals.drops);
    CHECK(exact.raw < 1e-9);
    CHECK(exact.scaled < 1e-8);
    CHECK(exact.scale == Approx(1).epsilon(1e-4));
    const Infidelity doubled =
        infidelity(sums_over(each(map, [](double v) { return 2 * v; }), removals.sets), removals.drops);
    CHECK(doubled.scale == Approx(0.5).epsilon(1e-4));
    CHECK(doubled.scaled < 1e-8);
    double square = 0;
    for (const double d : removals.drops) square += d * d / 20;
    CHECK(doubled.raw == Approx(square).epsilon(1e-4));
  }
}

TEST_CASE(
    "max-sensitivity: neighbours stay within the radius; the farthest map counts, relative to the map") {
  const Tensor x = noisy(), around = neighbourhood(x, 0.25, 6);
  CHECK(around.shape() == Shape{6, 3, kHeight, kWidth});
  double farthest = 0;
  for (int64_t i = 0; i < around.numel(); ++i) {
    const double off = around.item(i) - x.item(i % x.numel());
    CHECK(off == Approx(0.25 * (2 * Draws().uniform("max_sensitivity", i) - 1)).epsilon(1e-5));
    farthest = std::max(farthest, std::abs(off));
  }
  CHECK(farthest <= 0.25 + 1e-6);
  CHECK(farthest > 0.24);
  CHECK(same_bits(neighbourhood(x, 0.25, 2), around.slice(0, 2)));  // whatever else is drawn
  const Plane map = plane_of(1, 2, {3, 4});
  CHECK(max_sensitivity(map, {plane_of(1, 2, {3, 5}), plane_of(1, 2, {0, 0}), map}) == 1.0);
  CHECK(max_sensitivity(map, {map}) == 0.0);
  CHECK(max_sensitivity(plane_of(1, 2, {0, 0}), {map}) == std::nullopt);
}

TEST_CASE("pixel flipping: the negative in normalised units, and the curve by hand") {
  const Preprocessing how{.mean = {0.5f, 0.25f, 0.5f}, .std = {0.25f, 0.5f, 0.125f}};
  const Tensor x = tensor({-2, 2, -0.5, 1.5, 0, 1}, {1, 3, 1, 2});
  CHECK(values_of(negative(x, how)) == std::vector<double>{2, -2, 1.5, -0.5, 0, -1});
  Network net = with_formula_weights(linear_graph(kHeight, kWidth), Device::ref());
  const Tensor picture = noisy(), flipped = negative(picture, {.mean = {0.5f, 0.5f, 0.5f}});
  const Curve curve = pixel_flipping(net, picture, flipped, 1, shares(net, picture, 1), kPixels);
  REQUIRE(curve.probability.size() == kPixels + 1);
  CHECK(curve.probability[0] ==
        pixel_flipping(net, picture, flipped, 1, shares(net, picture, 1), 1).probability[0]);
  // The opposite order ends where this one does, and keeps the class longer.
  const Curve other = pixel_flipping(net, picture, flipped, 1,
                                     each(shares(net, picture, 1), [](double v) { return -v; }), kPixels);
  CHECK(other.probability.back() == curve.probability.back());
  CHECK(other.area() > curve.area());
}

TEST_CASE("imputation: by hand, harmonic, and exact to the residual") {
  // The middle of 3×3 becomes the weighted mean of what is around it.
  const Tensor x = tensor({1, 2, 3, 4, 99, 5, 6, 7, 8}, {1, 1, 3, 3});
  const std::vector<int64_t> middle{4};
  CHECK(impute(x, middle, 0).item(4) == Approx((2 + 4 + 5 + 7) / 6.0 + (1 + 3 + 6 + 8) / 12.0));
  // A corner has two direct neighbours and a diagonal one.
  const std::vector<int64_t> corner{0};
  CHECK(impute(x, corner, 0).item(0) == Approx((2.0 / 6 + 4.0 / 6 + 99.0 / 12) / (2.0 / 6 + 1.0 / 12)));
  // Two next to each other: v1 = (a + v4/6)/d1, v4 = (b + v1/6)/d4.
  const std::vector<int64_t> two{1, 4};
  const double a = (1 + 3) / 6.0 + (4 + 5) / 12.0, d1 = 3 / 6.0 + 2 / 12.0,
               b = (4 + 5 + 7) / 6.0 + (1 + 3 + 6 + 8) / 12.0;
  const double v1 = (a + b / 6) / (d1 - 1 / 36.0);
  const Tensor both = impute(x, two, 0);
  CHECK(both.item(1) == Approx(v1));
  CHECK(both.item(4) == Approx(b + v1 / 6));
  for (const int64_t kept : {0, 2, 3, 5, 6, 7, 8}) CHECK(both.item(kept) == x.item(kept));

  // Far from the edge a plane is its own mean; all of its inside can come back.
  Tensor plane(Dtype::f64, {1, 1, 40, 33});
  std::vector<int64_t> inside;
  for (int64_t y = 0; y < 40; ++y)
    for (int64_t i = 0; i < 33; ++i) {
      plane.values<double>()[static_cast<size_t>(y * 33 + i)] =
          0.5 * static_cast<double>(y) - static_cast<double>(i);
      if (y > 0 && y < 39 && i > 0 && i < 32) inside.push_back(y * 33 + i);
    }
  const Tensor back = impute(plane, inside, 0);
  for (int64_t i = 0; i < plane.numel(); ++i) CHECK(back.item(i) == Approx(plane.item(i)).epsilon(1e-7));

  // One pixel alone stays: all become its value. None: an error.
  std::vector<int64_t> all(9);
  std::iota(all.begin(), all.end(), 0);
  const Tensor one = impute(x, std::span<const int64_t>(all).first(8), 0);
  for (int64_t i = 0; i < 9; ++i) CHECK(one.item(i) == Approx(8));
  CHECK(usage_error([&] { impute(x, all, 0); }).find("stays") != std::string::npos);

  // Noise is drawn by pixel and channel, whatever else was removed.
  std::vector<double> draws(9);
  Draws().normals("road", draws);
  CHECK(impute(x, middle, 0.5).item(4) - impute(x, middle, 0).item(4) == Approx(0.5 * draws[4]));
}

TEST_CASE("road: the network's answers to the imputed pictures, whatever else is asked") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(kHeight, kWidth), device);
    const Tensor x = noisy();
    const int64_t cls = Target(top1).classes(net.logits(x))[0];
    const Plane map = shares(net, x, cls);
    const std::vector<double> fractions{0, 0.3, 0.9};
    const Road found = road(net, x, cls, map, fractions);
    REQUIRE(found.right.size() == 3);
    CHECK(found.right[0]);
    const std::vector<int64_t> order = most_relevant_first(map);
    for (size_t i = 0; i < 3; ++i) {
      const auto gone = static_cast<size_t>(fractions[i] * kPixels);
      const Tensor logits = net.logits(impute(x, std::span(order).first(gone)));
      CHECK(found.right[i] == (Target(top1).classes(logits)[0] == cls));
      const Road alone = road(net, x, cls, map, {fractions[i]});
      CHECK(alone.probability[0] == found.probability[i]);
    }
    CHECK(found.accuracy() == static_cast<double>(std::ranges::count(found.right, true)) / 3);
  }
  Network net = with_formula_weights(linear_graph(kHeight, kWidth), Device::ref());
  CHECK(usage_error([&] { road(net, noisy(), 0, tied_noise(kHeight, kWidth, 1), {1.0}); }).find("stays") !=
        std::string::npos);
}

}  // namespace loupe::test
