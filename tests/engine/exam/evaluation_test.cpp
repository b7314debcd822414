// Metrics against figures computed by hand, and against what must hold for any map; then whole evaluations of
// methods whose scores are known beforehand.
#include "engine/exam/evaluate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "engine/exam/baselines.h"
#include "engine/exam/cascade.h"
#include "engine/exam/deletion.h"
#include "engine/exam/energy.h"
#include "engine/exam/insertion.h"
#include "engine/exam/iou.h"
#include "engine/exam/maxima.h"
#include "engine/exam/parts.h"
#include "engine/exam/perturbation.h"
#include "engine/exam/pointing.h"
#include "engine/exam/randomisation.h"
#include "engine/exam/relevance.h"
#include "engine/exam/two_objects.h"
#include "engine/exam/untrained.h"
#include "kernels/common/random.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/relu/relu.h"
#include "tests/support/networks.h"
#include "tests/support/pictures.h"

namespace loupe::test {
namespace {

using doctest::Approx;
using Style = Picture::Style;

/// '#' is inside.
Region region(const std::vector<std::string>& rows) {
  Region r{std::ssize(rows), std::ssize(rows[0])};
  for (const std::string& row : rows)
    for (const char c : row) r.inside.push_back(c == '#');
  return r;
}

Plane plane_of(int64_t height, int64_t width, std::vector<double> values) {
  return {height, width, std::move(values)};
}

Plane plane_of(const Region& r) { return {r.height, r.width, {r.inside.begin(), r.inside.end()}}; }

/// Whole numbers from −3 to 3: many ties, both signs.
Plane tied_noise(int64_t height, int64_t width, uint64_t seed) {
  Plane p{height, width, {}};
  for (int64_t i = 0; i < height * width; ++i)
    p.values.push_back(std::floor(uniform(seed, static_cast<uint64_t>(i)) * 7) - 3);
  return p;
}

Region random_region(int64_t height, int64_t width, uint64_t seed) {
  Region r{height, width, {}};
  for (int64_t i = 0; i < height * width; ++i)
    r.inside.push_back(uniform(seed, static_cast<uint64_t>(i)) < 0.3);
  return r;
}

template <typename F>
Plane each(Plane p, const F& f) {
  for (double& v : p.values) v = f(v);
  return p;
}

double share(const Region& r) {
  return static_cast<double>(r.count()) / static_cast<double>(r.inside.size());
}

/// The pixels within `tolerance` of the region.
Region dilated(const Region& r, double tolerance) {
  Region d{r.height, r.width, {}};
  for (int64_t y = 0; y < r.height; ++y)
    for (int64_t x = 0; x < r.width; ++x) {
      bool near = false;
      for (int64_t i = 0; i < r.height; ++i)
        for (int64_t j = 0; j < r.width; ++j)
          near |= r.at(i, j) &&
                  static_cast<double>((i - y) * (i - y) + (j - x) * (j - x)) <= tolerance * tolerance;
      d.inside.push_back(near);
    }
  return d;
}

/// Uniform in ±√3: mean 0 and deviation 1.
double noise(uint64_t seed, uint64_t i) { return std::sqrt(3.0) * (2 * uniform(seed, i) - 1); }

Tensor tensor(const std::vector<double>& values, Shape shape) { return Tensor::from(values, shape); }

}  // namespace

// ---- relevance

TEST_CASE("relevance: each style makes one number a pixel of its channels") {
  const Tensor map = tensor({1, -5, 2, 0, 3, 0, -4, 0, -1, 1, 1, 0}, {3, 2, 2});  // (1,3,-1) (-5,0,1) …
  const auto of = [&](Style style) { return relevance({"m", map, {.style = style}, ""}, 2, 2).values; };
  CHECK(of(Style::magnitude) == std::vector<double>{3, 5, 4, 0});
  CHECK(of(Style::reconstruction) == std::vector<double>{3, 5, 4, 0});
  CHECK(of(Style::contribution) == std::vector<double>{3, -4, -1, 0});
  CHECK(of(Style::evidence) == std::vector<double>{3, 0, 0, 0});
}

TEST_CASE("relevance: a grid says where the cells of a coarse map lie") {
  const Tensor map = tensor({0, 0, 0, 8}, {2, 2});
  const Map evidence{"m", map, {.style = Style::evidence, .grid = Grid{1, 1, 4, 4}}, ""};
  const Plane p = relevance(evidence, 7, 7);
  CHECK(p.at(5, 5) == 8);
  CHECK(p.at(6, 6) == 8);  // beyond the last cell its value holds
  CHECK(p.at(1, 1) == 0);
  CHECK(p.at(3, 5) == 4);  // half way between cells of 0 and 8
  CHECK(p.at(5, 1) == 0);
  // Without one, cells divide the picture evenly.
  const Plane even = relevance({"m", map, {.style = Style::evidence}, ""}, 6, 6);
  CHECK(even.at(4, 4) == 8);
  CHECK(even.at(1, 1) == 0);
}

TEST_CASE("relevance: the map to score is the first that is not a level") {
  const Tensor one = tensor({1}, {1, 1});
  const Map level{"level", one, {.style = Style::level}, ""},
      share_map{"share", one, {.style = Style::contribution}, ""},
      second{"second", one, {.style = Style::evidence}, ""};
  CHECK(scored_map({{level, share_map, second}, {}})->name == "share");
  CHECK(scored_map({{level}, {}}) == nullptr);
  CHECK(scored_map({}) == nullptr);
}

TEST_CASE("relevance: a value that is not finite is an error that names the map") {
  for (const double bad : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    const Map map{"cam", tensor({1, bad, 0, 0}, {2, 2}), {.style = Style::evidence}, ""};
    CHECK(contains(error_of([&] { relevance(map, 2, 2); }), "'cam'"));
  }
}

// ---- where

TEST_CASE("distance: Euclidean, to the nearest pixel, up to a limit") {
  const Region r = region({"....", "....", "...#"});
  CHECK(distance(r, 2, 3, 0) == 0);
  CHECK(distance(r, 2, 1, 2) == 2);
  CHECK(std::isinf(distance(r, 2, 1, 1.99)));
  CHECK(distance(r, 1, 2, 4) == Approx(std::sqrt(2)));
  CHECK(distance(r, 0, 0, 4) == Approx(std::sqrt(13)));
  CHECK(std::isinf(distance(r, 0, 0, 3)));
  CHECK(std::isinf(distance(region({"..", ".."}), 0, 0, 100)));
}

TEST_CASE("pointing: the maximum is on the object, or near enough") {
  const Region object = region({"....", ".##.", "...."});
  const auto at = [&](int64_t place, double tolerance) {
    Plane p = plane_of(3, 4, std::vector<double>(12, -1.0));
    p.values[static_cast<size_t>(place)] = 0.5;
    return pointing(p, object, tolerance);
  };
  CHECK(at(5, 0) == 1);
  CHECK(at(6, 0) == 1);
  CHECK(at(7, 0) == 0);
  CHECK(at(7, 1) == 1);
  CHECK(at(11, 1) == 0);  // diagonal: √2 away
  CHECK(at(11, 1.5) == 1);
}

TEST_CASE("pointing: where several pixels are the maximum, each has its share") {
  const Region object = region({"#...", "....", "...."});
  CHECK(pointing(plane_of(3, 4, std::vector<double>(12, 7.0)), object, 0) == Approx(1.0 / 12));
  CHECK(pointing(plane_of(3, 4, std::vector<double>(12, 0.0)), object, 1) == Approx(3.0 / 12));
  CHECK(pointing(plane_of(3, 4, {2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}), object, 0) == 0.5);
  CHECK(pointing(plane_of(region({"...#", "....", "...."})), object, 0) == 0);
}

TEST_CASE("energy: the share of positive values") {
  const Region object = region({"##", ".."});
  CHECK(energy(plane_of(2, 2, {3, -9, 1, 0}), object) == 0.75);
  CHECK(energy(plane_of(2, 2, {0, 0, 5, 1}), object) == 0);
  CHECK(energy(plane_of(2, 2, {1, 0, 0, 0}), object) == 1);
  CHECK(energy(plane_of(2, 2, {2, 2, 2, 2}), object) == 0.5);
  // A map that says nothing scores as an even one does.
  CHECK(energy(plane_of(2, 2, {0, 0, 0, 0}), object) == 0.5);
  CHECK(energy(plane_of(2, 2, {-1, -2, -3, -4}), object) == 0.5);
}

TEST_CASE("IoU: by hand") {
  const Region object = region({"##..", "...."});
  CHECK(best_iou(plane_of(2, 4, {9, 8, 7, 0, 0, 0, 0, 0}), object) == 1);
  CHECK(best_iou(plane_of(2, 4, {7, 9, 8, 0, 0, 0, 0, 0}), object) == Approx(2.0 / 3));
  CHECK(best_iou(plane_of(2, 4, {1, 9, 1, 1, 1, 1, 1, 1}), object) == 0.5);   // one pixel of two
  CHECK(best_iou(plane_of(2, 4, {5, 5, 5, 5, 5, 5, 5, 5}), object) == 0.25);  // all or nothing
  CHECK(best_iou(plane_of(2, 4, {5, 5, 5, 5, 0, 0, 0, 0}), object) == 0.5);
  CHECK(best_iou(plane_of(2, 4, {5, 5, 5, 5, 0, 0, 0, 0}), region({"....", "...."})) == 0);
}

TEST_CASE("IoU: no threshold does better") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Plane map = tied_noise(5, 6, seed);
    const Region object = random_region(5, 6, seed + 1000);
    double best = 0;
    for (const double threshold : map.values) {
      int64_t both = 0, either = 0;
      for (size_t i = 0; i < map.values.size(); ++i) {
        both += map.values[i] >= threshold && object.inside[i];
        either += map.values[i] >= threshold || object.inside[i];
      }
      best = std::max(best, static_cast<double>(both) / static_cast<double>(either));
    }
    CHECK(best_iou(map, object) == best);
  }
}

TEST_CASE("parts: any of them, and which") {
  const std::vector<NamedRegion> parts{{"beak", region({"#...", "....", "...."})},
                                       {"legs", region({"....", "....", "..##"})}};
  const auto at = [&](int64_t place, double tolerance) {
    Plane p = plane_of(3, 4, std::vector<double>(12, 0.0));
    p.values[static_cast<size_t>(place)] = 1;
    return part_hits(p, parts, tolerance);
  };
  CHECK(at(0, 0).any == 1);
  CHECK(at(0, 0).each == std::vector<double>{1, 0});
  CHECK(at(11, 0).each == std::vector<double>{0, 1});
  CHECK(at(1, 0).any == 0);
  CHECK(at(1, 1).each == std::vector<double>{1, 0});
  for (uint64_t seed = 0; seed < 20; ++seed) {  // any part is what is in their union
    const std::vector<NamedRegion> some{{"a", random_region(5, 6, seed)},
                                        {"b", random_region(5, 6, seed + 99)}};
    Region all = some[0].region;
    for (size_t i = 0; i < all.inside.size(); ++i) all.inside[i] |= some[1].region.inside[i];
    const Plane map = tied_noise(5, 6, seed + 7);
    CHECK(part_hits(map, some, 1).any == pointing(map, all, 1));
    CHECK(part_hits(map, some, 1).each[1] == pointing(map, some[1].region, 1));
  }
}

TEST_CASE("two objects: the nearer one counts, if it is near enough") {
  const Region own = region({"#......"}), other = region({"....#.."});
  const auto at = [&](int64_t place, double tolerance) {
    Plane p = plane_of(1, 7, std::vector<double>(7, 0.0));
    p.values[static_cast<size_t>(place)] = 1;
    const Sides s = sides(p, own, other, tolerance);
    return std::pair(s.own, s.other);
  };
  using Pair2 = std::pair<double, double>;
  CHECK(at(0, 0) == Pair2{1, 0});
  CHECK(at(4, 0) == Pair2{0, 1});
  CHECK(at(1, 0) == Pair2{0, 0});
  CHECK(at(1, 3) == Pair2{1, 0});
  CHECK(at(2, 3) == Pair2{0, 0});  // in the middle
  CHECK(at(6, 1) == Pair2{0, 0});  // near neither
  CHECK(at(6, 2) == Pair2{0, 1});
  for (uint64_t seed = 0; seed < 20; ++seed) {  // to the other it is the other way round
    const Region a = random_region(5, 6, seed), b = random_region(5, 6, seed + 50);
    const Plane map = tied_noise(5, 6, seed);
    CHECK(sides(map, a, b, 2).own == sides(map, b, a, 2).other);
    CHECK(sides(map, a, b, 2).own + sides(map, a, b, 2).other <= 1);
    CHECK(sides(map, a, a, 2).own == 0);
  }
}

TEST_CASE("where: what must hold for any map") {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Plane map = tied_noise(6, 7, seed);
    const Region object = random_region(6, 7, seed + 500);
    for (const double tolerance : {0.0, 1.0, 2.0}) {
      // Scale and monotone changes do not matter to what looks at order alone.
      const Plane bent = each(map, [](double v) { return std::exp(v) - 5; });
      CHECK(pointing(bent, object, tolerance) == pointing(map, object, tolerance));
      CHECK(best_iou(bent, object) == best_iou(map, object));
      // A map that prefers no place hits as often as chance does.
      const Plane even = each(map, [](double) { return 2.0; });
      CHECK(pointing(even, object, tolerance) == Approx(share(dilated(object, tolerance))));
      CHECK(energy(even, object) == Approx(share(object)));
      CHECK(best_iou(even, object) == Approx(share(object)));
    }
    CHECK(energy(each(map, [](double v) { return 3 * v; }), object) == Approx(energy(map, object)));
    if (object.count() == 0) continue;
    CHECK(pointing(plane_of(object), object, 0) == 1);
    CHECK(energy(plane_of(object), object) == 1);
    CHECK(best_iou(plane_of(object), object) == 1);
  }
}

// ---- insertion and deletion

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

// ---- sanity

TEST_CASE("rank similarity: by hand") {
  const auto of = [](std::vector<double> a, std::vector<double> b) {
    return rank_similarity(plane_of(1, std::ssize(a), a), plane_of(1, std::ssize(b), b));
  };
  CHECK(of({1, 2, 3, 4}, {10, 20, 30, 400}) == Approx(1));
  CHECK(of({1, 2, 3, 4}, {4, 3, 2, 1}) == Approx(-1));
  CHECK(of({1, -2, 3, -4}, {-1, 2, -3, 4}) == Approx(1));                         // signs do not count
  CHECK(of({1, 2, 3, 4, 5}, {2, 1, 4, 3, 5}) == Approx(1 - 6 * 4.0 / (5 * 24)));  // 1 − 6Σd²/(n(n²−1))
  CHECK(of({1, 2, 2, 3}, {1, 3, 2, 4}) == Approx(std::sqrt(0.9)));
  CHECK(of({5, 5, 5}, {1, 2, 3}) == 0);
  CHECK(of({5, 5, 5}, {0, 0, 0}) == 1);
}

TEST_CASE("rank similarity: symmetric, blind to monotone changes, near 0 for what is unrelated") {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Plane a = tied_noise(20, 20, seed), b = tied_noise(20, 20, seed + 100);
    CHECK(rank_similarity(a, b) == Approx(rank_similarity(b, a)));
    CHECK(rank_similarity(a, a) == Approx(1));
    CHECK(rank_similarity(a, each(a, [](double v) { return v * v; })) == Approx(1));
    CHECK(std::abs(rank_similarity(a, b)) < 4 / std::sqrt(400.0));  // its deviation is 1/√n
  }
}

TEST_CASE("the middle of a map: a sixth of the shorter side is left out all around") {
  Plane p{6, 13, {}};
  for (int i = 0; i < 6 * 13; ++i) p.values.push_back(i);
  const Plane m = middle(p);
  CHECK(m.height == 4);
  CHECK(m.width == 11);
  CHECK(m.at(0, 0) == 14);
  CHECK(m.at(3, 10) == 13 * 4 + 11);
  CHECK(middle(plane_of(3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9})).values.size() == 9);
}

TEST_CASE("an untrained network: nothing that was learned is left, and the seed decides") {
  const Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  Network a = untrained(net, 1);
  const Network b = untrained(net, 1), c = untrained(net, 2);
  for (const ParameterSpec& p : net.graph().parameters()) {
    CAPTURE(p.name);
    CHECK(values_of(a.parameter(p.name)) == values_of(b.parameter(p.name)));
    CHECK(values_of(a.parameter(p.name)) != values_of(net.parameter(p.name)));
    if (p.role == ParameterSpec::Role::weight)
      CHECK(values_of(a.parameter(p.name)) != values_of(c.parameter(p.name)));
  }
  Tensor x(Dtype::f32, {1, 3, 14, 11});
  for (uint64_t i = 0; i < 462; ++i) x.values<float>()[i] = static_cast<float>(noise(9, i));
  for (const double v : values_of(a.logits(x))) CHECK(std::isfinite(v));
}

TEST_CASE("a network forgets from the output down") {
  const Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Graph& graph = net.graph();
  const std::vector<NodeId> layers = learned_layers(graph);
  CHECK(std::ranges::is_sorted(layers, std::greater()));
  CHECK(graph.node(layers.front()).op->kind().name == "linear");
  CHECK(middle_layer(graph) == layers[layers.size() / 2]);
  const Graph one = linear_graph(4, 4);
  CHECK(one.node(middle_layer(one)).op->kind().name == "linear");
  for (const NodeId from : layers) {
    const Network partly = untrained(net, 1, from);
    for (NodeId n = 0; n < graph.size(); ++n)
      for (const ParameterSpec& p : graph.node(n).parameters) {
        CAPTURE(p.name);
        CHECK((values_of(partly.parameter(p.name)) == values_of(net.parameter(p.name))) == (n < from));
      }
  }
}

// ---- statistics

TEST_CASE("mean, standard error and median") {
  Tally t;
  CHECK(t.mean() == 0);
  CHECK(t.standard_error() == 0);
  for (const double x : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) t.add(x);
  CHECK(t.count() == 8);
  CHECK(t.mean() == Approx(5));
  CHECK(t.standard_error() == Approx(std::sqrt(32.0 / 7 / 8)));
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
  CHECK(median({}) == 0);
}

TEST_CASE("random numbers: even, and from the key alone") {
  double mean = 0;
  std::vector<int64_t> tenths(10);
  constexpr int kCount = 100'000;
  for (uint64_t i = 0; i < kCount; ++i) {
    const double u = uniform(3, i);
    REQUIRE((u >= 0 && u < 1));
    mean += u / kCount;
    ++tenths[static_cast<size_t>(u * 10)];
  }
  CHECK(std::abs(mean - 0.5) < 4 * std::sqrt(1 / 12.0 / kCount));
  for (const int64_t n : tenths)
    CHECK(std::abs(static_cast<double>(n) - kCount / 10.0) < 4 * std::sqrt(kCount * 0.09));
  CHECK(uniform(3, 7) == uniform(3, 7));
  CHECK(uniform(3, 7) != uniform(4, 7));
}

// ---- whole evaluations

namespace {

constexpr int64_t kSide = 16, kKinds = 4;

/// Squares on a dark ground; an object of class c shows in the channel c of 3 only, so that the picture
/// itself says where each class is. Index 5 has no parts.
Scene squares(int64_t index, int objects) {
  const auto key = static_cast<uint64_t>(index * 2 + objects);
  Scene scene{.input = Tensor::zeros(Dtype::f32, {1, 3, kSide, kSide})};
  for (int k = 0; k < objects; ++k) {
    SceneObject object{.cls = (index + k) % 3, .region = {kSide, kSide, std::vector<uint8_t>(kSide * kSide)}};
    const auto top = static_cast<int64_t>(uniform(key, 0) * 11),
               left = static_cast<int64_t>(uniform(key, 1) * 4) + 8 * k;
    for (int64_t y = top; y < top + 5; ++y)
      for (int64_t x = left; x < left + 4; ++x) {
        object.region.inside[static_cast<size_t>(y * kSide + x)] = 1;
        scene.input.values<float>()[static_cast<size_t>((object.cls * kSide + y) * kSide + x)] = 1;
      }
    if (index != 5) object.parts.push_back({index % 2 ? "whole" : "all", object.region});
    scene.objects.push_back(std::move(object));
  }
  return scene;
}

Method method(std::string_view name, std::function<Explanation(const Question&, const Options&)> run) {
  return {.name = name,
          .summary = "",
          .source = "",
          .options = {},
          .unsuited = [](const Network&) { return std::nullopt; },
          .run = std::move(run)};
}

/// Knows the truth: the target's channel.
const Method oracle = method("oracle", [](const Question& q, const Options&) -> Explanation {
  return {{{"oracle", q.input.row(0).row(q.target), {.style = Style::evidence}, ""}}, {}};
});
/// Points at the other of the three classes' channels.
const Method liar = method("liar", [](const Question& q, const Options&) -> Explanation {
  const Tensor map = Tensor::zeros(Dtype::f64, {kSide, kSide});
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; c != q.target && i < kSide * kSide; ++i)
      map.values<double>()[static_cast<size_t>(i)] += q.input.item(c * kSide * kSide + i);
  return {{{"liar", map, {.style = Style::evidence}, ""}}, {}};
});
const Method mute = method("mute", [](const Question&, const Options&) { return Explanation{}; });

Graph squares_graph() {
  Graph graph;
  const NodeId x = graph.input("input", {1, 3, kSide, kSide});
  const NodeId maps = graph.add("conv", conv2d({.out_channels = kKinds, .kernel = 3}), {x});
  graph.add("fc", linear({.out_features = 3}),
            {graph.add("flatten", flatten(), {graph.add("relu", relu(), {maps})})});
  return graph;
}

std::vector<Contestant> contestants(const std::vector<const Method*>& methods) {
  std::vector<Contestant> all;
  for (const Method* m : methods) all.push_back({m, Options(std::string(m->name), m->options)});
  for (const Method* m : {&centre_baseline, &random_baseline})
    all.push_back({m, Options(std::string(m->name), {}), true});
  return all;
}

const Verdicts& verdict(const Evaluation& e, std::string_view method, std::string_view metric) {
  const auto s = std::ranges::find_if(
      e.standings, [&](const Standing& standing) { return standing.contestant.method->name == method; });
  REQUIRE(s != e.standings.end());
  const auto v =
      std::ranges::find_if(s->verdicts, [&](const Verdicts& one) { return one.metric->name == metric; });
  REQUIRE(v != s->verdicts.end());
  return *v;
}

}  // namespace

TEST_CASE("evaluation: the truth scores 1, beats the baselines, and a lie does not") {
  Network net = with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&liar, &oracle});
  const Evaluation e =
      evaluate(net, all, {.scene = squares, .count = 40, .costly = 36, .settings = {.tolerance = 1}});
  for (const char* metric : {"pointing", "energy", "iou", "parts", "two_objects"}) {
    CAPTURE(metric);
    CHECK(verdict(e, "oracle", metric).tally.mean() == 1);
    CHECK(verdict(e, "oracle", metric).tally.standard_error() == 0);
    CHECK(verdict(e, "oracle", metric).beats_baselines == true);
    CHECK(verdict(e, "centre", metric).beats_baselines == std::nullopt);
  }
  CHECK(verdict(e, "oracle", "other_object").tally.mean() == 0);
  CHECK(verdict(e, "oracle", "other_object").beats_baselines == true);
  CHECK(verdict(e, "liar", "two_objects").tally.mean() == 0);
  CHECK(verdict(e, "liar", "two_objects").beats_baselines == false);
  CHECK(verdict(e, "liar", "other_object").tally.mean() == 1);
  // What looks at no weights does not change with them.
  for (const char* name : {"oracle", "liar", "centre", "random"}) {
    CHECK(verdict(e, name, "randomisation").tally.mean() == Approx(1));
    CHECK(verdict(e, name, "randomisation").beats_baselines == std::nullopt);
  }
  // Costly metrics look at fewer pictures, and a picture without parts has no score for them.
  CHECK(verdict(e, "oracle", "pointing").tally.count() == 40);
  CHECK(verdict(e, "oracle", "parts").tally.count() == 39);
  CHECK(verdict(e, "oracle", "deletion").tally.count() == 36);
  CHECK(verdict(e, "oracle", "two_objects").tally.count() == 36);
  CHECK(e.right.count() == 40);
  int64_t notes = 0;
  for (const auto& [what, count] : verdict(e, "oracle", "parts").notes) {
    CHECK((what.second == "whole" || what.second == "all"));
    notes += count;
  }
  CHECK(notes == 39);
}

TEST_CASE("evaluation: noise points as often as chance, whatever the tolerance") {
  Network net = with_formula_weights(squares_graph(), Device::cpu());
  for (const double tolerance : {0.0, 2.0}) {
    const Evaluation e = evaluate(net, contestants({}),
                                  {.scene = squares, .count = 400, .settings = {.tolerance = tolerance}});
    double chance = 0, area = 0;
    for (int64_t i = 0; i < 400; ++i) {
      const Region object = squares(i, 1).objects[0].region;
      chance += share(dilated(object, tolerance)) / 400, area += share(object) / 400;
    }
    const Tally& pointing_tally = verdict(e, "random", "pointing").tally;
    CHECK(std::abs(pointing_tally.mean() - chance) < 3 * pointing_tally.standard_error());
    CHECK(verdict(e, "random", "energy").tally.mean() == Approx(area).epsilon(0.1));
  }
}

TEST_CASE("evaluation: the same scores however many pictures there are beside, and on any threads") {
  Network net = with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&find_method("gradient"), &find_method("occlusion")});
  std::vector<Contestant> small = all;
  for (Contestant& c : small)
    if (c.method->name == "occlusion") c.options.set("window", "5"), c.options.set("stride", "4");
  const Exam exam{.scene = squares, .count = 6, .costly = 4, .seed = 3};
  const Evaluation a = evaluate(net, small, exam), b = evaluate(net, small, exam);
  for (size_t s = 0; s < a.standings.size(); ++s)
    for (size_t m = 0; m < all_metrics().size(); ++m)
      CHECK(a.standings[s].verdicts[m].tally.mean() == b.standings[s].verdicts[m].tally.mean());
  Exam other = exam;
  other.seed = 4;
  const Evaluation c = evaluate(net, small, other);
  CHECK(verdict(c, "gradient", "pointing").tally.mean() == verdict(a, "gradient", "pointing").tally.mean());
  CHECK(verdict(c, "gradient", "randomisation").tally.mean() !=
        verdict(a, "gradient", "randomisation").tally.mean());
}

TEST_CASE("cascade: a step a layer, the last as untrained as can be") {
  Network net = with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&oracle, &find_method("gradient")});
  const auto scene = [](int64_t i) { return squares(i, 1); };
  std::vector<double> parts;
  const std::vector<CascadeStep> steps =
      cascade(net, all, scene, 5, 3, [&](double part) { parts.push_back(part); });
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].layer == "fc");
  CHECK(steps[1].layer == "conv");
  CHECK(std::ranges::is_sorted(parts));
  CHECK(parts.back() == 1);
  Network fresh = untrained(net, 3);
  Tally whole;
  for (int64_t i = 0; i < 5; ++i) {
    const Scene s = scene(i);
    const auto map = [&](Network& n) { return all[1].answer(n, s, n.logits(s.input), s.objects[0].cls); };
    whole.add(rank_similarity(middle(map(net)), middle(map(fresh))));
  }
  CHECK(steps[1].similarity[1].mean() == whole.mean());
  CHECK(steps[0].similarity[1].mean() != whole.mean());
  for (const CascadeStep& step : steps) {
    CHECK(step.similarity[0].mean() == Approx(1));  // the oracle looks at no weights
    CHECK(step.similarity[1].count() == 5);
    CHECK(step.similarity[1].mean() < 1);
  }
  // Of many layers, the last, the first and some between.
  CHECK(cascade(net, all, scene, 1, 3, {}, 1)[0].layer == "fc");
}

TEST_CASE("evaluation: progress goes from 0 to 1, and wrong requests are refused") {
  Network net = with_formula_weights(squares_graph(), Device::cpu());
  const std::vector<Contestant> all = contestants({&oracle});
  std::vector<double> parts;
  evaluate(net, all,
           {.scene = squares, .count = 3, .costly = 2, .progress = [&](double p) { parts.push_back(p); }});
  CHECK(std::ranges::is_sorted(parts));
  CHECK(parts.back() == 1);
  CHECK(
      contains(error_of([&] { evaluate(net, all, {.scene = squares, .count = 0}); }), "at least 1 picture"));
  const std::vector<Contestant> silent = contestants({&mute});
  CHECK(can_be_scored(net, all[0], squares(0, 1)));
  CHECK(!can_be_scored(net, silent[0], squares(0, 1)));
  CHECK(contains(error_of([&] { evaluate(net, silent, {.scene = squares, .count = 1}); }), "mute"));
}

TEST_CASE("baselines: the middle is the largest; noise is another for another picture") {
  Network net = with_formula_weights(squares_graph(), Device::cpu());
  const auto map_of = [&](const Method& m, const Tensor& x) {
    return relevance(*scored_map(m.run({.network = net, .input = x, .logits = {}}, Options("", {}))),
                     x.shape()[2], x.shape()[3]);
  };
  const Plane odd = map_of(centre_baseline, Tensor::zeros(Dtype::f32, {1, 3, 5, 7}));
  CHECK(odd.at(2, 3) == 1);
  CHECK(std::ranges::count(odd.values, 1.0) == 1);
  const Plane even = map_of(centre_baseline, Tensor::zeros(Dtype::f32, {1, 3, 4, 4}));
  CHECK(std::ranges::count(even.values, even.at(1, 1)) == 4);
  CHECK(even.at(1, 1) == even.at(2, 2));
  CHECK(even.at(0, 0) < even.at(1, 1));
  const Tensor x = squares(0, 1).input, y = squares(1, 1).input;
  CHECK(map_of(random_baseline, x) == map_of(random_baseline, x.clone()));
  CHECK(!(map_of(random_baseline, x) == map_of(random_baseline, y)));
}

TEST_CASE("metrics: each has what the table and the report say of it") {
  std::set<std::string_view> names, headings;
  int place = 0;
  for (const Metric* m : all_metrics()) {
    CAPTURE(m->name);
    CHECK(names.insert(m->name).second);
    CHECK(headings.insert(m->heading).second);
    CHECK(m->place > place);
    place = m->place;
    CHECK(!m->summary.empty());
    CHECK(!m->source.empty());
  }
  CHECK(names.size() == unsorted_metrics().size());
}

}  // namespace loupe::test
