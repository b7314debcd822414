// Insertion and deletion, by hand and on a network that is known.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/exam/deletion.h"
#include "engine/exam/insertion.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "tests/support/networks.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

TEST_CASE("curves: the area by the trapezoid rule") {
  CHECK(Curve{{1, 0.5, 0}}.area() == 0.5);
  CHECK(Curve{{1, 1}}.area() == 1);
  CHECK(Curve{{0.25, 0.75, 0.5, 0}}.area() == Approx((0.125 + 0.75 + 0.5 + 0) / 3));
}

TEST_CASE("curves: pixels by relevance; equal ones in a fixed order that prefers no place") {
  const std::vector<int64_t> order = most_relevant_first(plane_of(2, 3, {-1, 5, 0, 7, -3, 2}));
  CHECK(order == std::vector<int64_t>{3, 1, 5, 2, 0, 4});
  const std::vector<int64_t> even = most_relevant_first(plane_of(32, 32, std::vector<double>(1024, 1.0)));
  CHECK(std::set<int64_t>(even.begin(), even.end()).size() == 1024);
  CHECK(even == most_relevant_first(plane_of(32, 32, std::vector<double>(1024, 0.0))));
  // The first half lies evenly: the mean of 512 of 0 … 1023 has a deviation of 9.2.
  const double mean = std::accumulate(even.begin(), even.begin() + 512, 0.0) / 512;
  CHECK(std::abs(mean - 511.5) < 3 * 9.3);
}

TEST_CASE("curves: blurring keeps what is even, spreads what is not, and is the same both ways") {
  const Tensor even = tensor(std::vector<double>(3 * 9 * 7, 2.5), {1, 3, 9, 7});
  for (const double v : values_of(blurred(even, 1.3))) CHECK(v == Approx(2.5));
  std::vector<double> spot(3 * 21 * 21, 0.0);
  spot[static_cast<size_t>(21 * 21 + 10 * 21 + 10)] = 1;  // the middle of the second channel
  const std::vector<double> b = values_of(blurred(tensor(spot, {1, 3, 21, 21}), 1.5));
  const auto at = [&](int64_t c, int64_t y, int64_t x) {
    return b[static_cast<size_t>((c * 21 + y) * 21 + x)];
  };
  CHECK(std::accumulate(b.begin(), b.end(), 0.0) == Approx(1));
  CHECK(at(1, 10, 12) / at(1, 10, 10) == Approx(std::exp(-4 / (2 * 2.25))));
  CHECK(at(1, 11, 12) == Approx(at(1, 12, 11)));
  CHECK(at(1, 9, 8) == Approx(at(1, 11, 12)));
  CHECK(at(0, 10, 10) == 0);
  CHECK(at(2, 10, 10) == 0);
}

TEST_CASE("curves: each point is the network's answer to the picture as far as it has changed") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(linear_graph(4, 5), device);
    std::vector<double> pixels;
    for (uint64_t i = 0; i < 60; ++i) pixels.push_back(noise(5, i));
    const Tensor x = tensor(pixels, {1, 3, 4, 5});
    const Plane map = tied_noise(4, 5, 3);
    const std::vector<int64_t> order = most_relevant_first(map);
    const int64_t cls = 2, steps = 6;
    const Curve curve = deletion(net, x, cls, map, steps);
    REQUIRE(curve.probability.size() == 7);
    for (int64_t k = 0; k <= steps; ++k) {
      std::vector<double> left = pixels;
      for (int64_t i = 0; i < k * 20 / steps; ++i)
        for (int64_t c = 0; c < 3; ++c) left[static_cast<size_t>(c * 20 + order[static_cast<size_t>(i)])] = 0;
      const std::vector<double> scores = values_of(net.logits(tensor(left, {1, 3, 4, 5}).to(Dtype::f32)));
      double sum = 0;
      for (const double s : scores) sum += std::exp(s - scores[cls]);
      CHECK(curve.probability[static_cast<size_t>(k)] == Approx(1 / sum).epsilon(1e-6));
    }
    const Curve back = insertion(net, x, cls, map, steps);
    CHECK(back.probability.back() == Approx(curve.probability.front()).epsilon(1e-6));
    CHECK(
        back.probability.front() ==
        Approx(
            turning(net, blurred(x, 0.4), x, cls, each(map, [](double) { return 0.0; }), 1).probability[0]));
    // What is deleted last was inserted first, the other way round.
    const Plane distinct =
        plane_of(4, 5, {3, 17, 2, 9, 14, 0, 11, 6, 19, 8, 1, 15, 4, 12, 18, 7, 10, 5, 16, 13});
    const Tensor grey = Tensor::zeros(x.dtype(), x.shape());
    std::vector<double> there = turning(net, x, grey, cls, distinct, 5).probability;
    std::ranges::reverse(there);
    const auto and_back =
        turning(net, grey, x, cls, each(distinct, [](double v) { return -v; }), 5).probability;
    for (size_t i = 0; i < there.size(); ++i) CHECK(there[i] == Approx(and_back[i]).epsilon(1e-6));
  }
}

TEST_CASE("curves: the truth about a network deletes faster and inserts faster than its opposite") {
  // A linear network of two classes with opposite weights: a pixel's share of the score is known exactly.
  Graph graph;
  const NodeId input = graph.input("input", {1, 3, 4, 4});
  graph.add("fc", linear({.out_features = 2}), {graph.add("flatten", flatten(), {input})});
  std::vector<float> weights(96);
  for (uint64_t i = 0; i < 48; ++i)
    weights[i] = static_cast<float>(noise(1, i)), weights[48 + i] = -weights[i];
  Network net("opposites", std::move(graph),
              {{"fc.weight", Tensor::from(weights, {2, 48})}, {"fc.bias", Tensor::zeros(Dtype::f32, {2})}},
              Device::cpu());
  std::vector<double> pixels;
  Plane truth{4, 4, std::vector<double>(16, 0.0)};
  for (uint64_t i = 0; i < 48; ++i) {
    pixels.push_back(0.3 * noise(2, i));
    truth.values[i % 16] += pixels.back() * static_cast<double>(weights[i]);
  }
  const Tensor x = tensor(pixels, {1, 3, 4, 4});
  const Plane opposite = each(truth, [](double v) { return -v; });
  const double best = deletion(net, x, 0, truth, 16).area(), worst = deletion(net, x, 0, opposite, 16).area();
  CHECK(best < worst);
  for (uint64_t seed = 0; seed < 20; ++seed) {  // no order does better or worse
    const double some = deletion(net, x, 0, tied_noise(4, 4, seed), 16).area();
    CHECK(best <= some + 1e-6);
    CHECK(some <= worst + 1e-6);
  }
  const Tensor grey = Tensor::zeros(x.dtype(), x.shape());
  CHECK(turning(net, grey, x, 0, truth, 16).area() > turning(net, grey, x, 0, opposite, 16).area());
}

}  // namespace loupe::test
