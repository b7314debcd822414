// Metrics against tests/golden/metrics.json, computed in double by tests/oracle/make_metric_goldens.py from the papers.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/exam/complexity.h"
#include "engine/exam/infidelity.h"
#include "engine/exam/localisation_auc.h"
#include "engine/exam/max_sensitivity.h"
#include "engine/exam/pixel_flipping.h"
#include "engine/exam/road.h"
#include "engine/exam/sensitivity_n.h"
#include "engine/exam/sparseness.h"
#include "engine/methods/input_x_gradient.h"
#include "models/models.h"
#include "tests/support/networks.h"
#include "tests/support/planes.h"

namespace loupe::test {

using nlohmann::json;

namespace {

constexpr int64_t kSide = 64, kPixels = kSide * kSide;

const json& goldens() {
  static const json all = json::parse(std::ifstream(LOUPE_SOURCE_DIR "/tests/golden/metrics.json"));
  return all;
}

// Squares of 8×8 pixels and a map of noise, as the oracle draws them.
Tensor picture(int64_t p, Dtype type) {
  const Tensor x(Dtype::f32, {1, 3, kSide, kSide});
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t c = i / kPixels, y = i / kSide % kSide, column = i % kSide;
    x.values<float>()[static_cast<size_t>(i)] = static_cast<float>(
        4 * Draws().uniform("metric.picture", p * 192 + c * 64 + y / 8 * 8 + column / 8) - 2);
  }
  return x.to(type);
}

Plane relevance_of(int64_t p) {
  Plane map{kSide, kSide, std::vector<double>(kPixels)};
  Draws().uniforms("metric.map", map.values, p * kPixels);
  return each(map, [](double v) { return v - 0.5; });
}

Region disc() {
  Region r{kSide, kSide, {}};
  for (int64_t y = 0; y < kSide; ++y)
    for (int64_t x = 0; x < kSide; ++x)
      r.inside.push_back((y - 30) * (y - 30) + (x - 25) * (x - 25) < 15 * 15);
  return r;
}

Plane product(Network& net, const Tensor& x, int64_t cls) {
  return reduce_channels(input_x_gradient(net, x, {.target = cls}).row(0), false);
}

struct Case {
  Network& net;
  int64_t p;
  double bound;
  const json& golden = goldens().at("cases").at(static_cast<size_t>(p));
  int64_t cls = golden.at("cls");
  Tensor x = picture(p, net.device().compute_dtype());
  Plane map = relevance_of(p);

  void check(const std::string& what, double ours, double theirs, double of = 1) const {
    INFO(what << ": " << ours << ", golden " << theirs);
    CHECK(std::abs(ours - theirs) <= bound * std::max(of, std::abs(theirs)));
  }
  void check(const std::string& what, const std::vector<double>& ours, const json& theirs) const {
    REQUIRE(ours.size() == theirs.size());
    for (size_t i = 0; i < ours.size(); ++i) check(what + " " + std::to_string(i), ours[i], theirs[i]);
  }
  void check(const std::string& what, const Infidelity& ours, const json& theirs) const {
    check(what + " raw", ours.raw, theirs.at("raw"));
    check(what + " scale", ours.scale, theirs.at("scale"), 0.1);
    check(what + " scaled", ours.scaled, theirs.at("scaled"));
  }

  void of_noise() const {
    const json& all = goldens();
    check("flipping",
          pixel_flipping(net, x, negative(x, {.mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.25f, 0.25f}}), cls,
                         map, all.at("steps"))
              .probability,
          golden.at("pixel_flipping"));
    const Road gone = road(net, x, cls, map, golden.at("road").at("fractions"), all.at("noise"));
    check("road", gone.probability, golden.at("road").at("probability"));
    CHECK(gone.right == golden.at("road").at("right").get<std::vector<bool>>());
    check("sparseness", sparseness(map), golden.at("sparseness"));
    check("complexity", complexity(map), golden.at("complexity"));
    check("auc", localisation_auc(map, disc()).value(), golden.at("localisation_auc"));
  }

  void of_removals() const {
    const json& all = goldens();
    const std::vector<int64_t> sizes = set_sizes(kPixels);
    CHECK(json(sizes) == all.at("sizes"));
    const Removals sets = random_removals(net, x, cls, sizes, all.at("draws"));
    const Removals squares =
        remove(net, x, cls, random_squares(kSide, kSide, all.at("squares"), Draws(), "infidelity"));
    const auto pair = [&](const std::string& what, const Plane& m, const json& theirs) {
      check(what + " sensitivity-n", sensitivity_n(m, sets, all.at("draws")), theirs.at("sensitivity_n"));
      check(what + " infidelity", infidelity(sums_over(m, squares.sets), squares.drops),
            theirs.at("infidelity"));
    };
    pair("noise", map, golden);
    pair("product", product(net, x, cls), golden.at("of_product"));
  }

  void of_neighbours() const {
    const Tensor around =
        neighbourhood(picture(p, Dtype::f32), goldens().at("radius"), goldens().at("neighbours"));
    std::vector<Plane> maps;
    for (int64_t n = 0; n < around.shape()[0]; ++n) maps.push_back(product(net, around.slice(n, n + 1), cls));
    check("max-sensitivity", max_sensitivity(product(net, x, cls), maps).value(),
          golden.at("max_sensitivity"));
  }
};

}  // namespace

TEST_CASE("metrics: the values of their papers, on the zoo's network") {
  // In floats a drop of about 1 is a difference of scores of about 10 that are good to 1e-6 each; correlations of sets of a
  // single pixel, whose drops are 1e-3, the most.
  for (const auto& [device, bound] : {std::pair(Device::ref(), 1e-8), std::pair(Device::cpu(), 2e-3)}) {
    CAPTURE(device.str());
    ImageModel net = models::load("zoo", "", device);
    for (int64_t p = 0; p < 2; ++p) {
      const Case c{net.network, p, bound};
      c.of_noise();
      c.of_removals();
      c.of_neighbours();
    }
  }
}

}  // namespace loupe::test
