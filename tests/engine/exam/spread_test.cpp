// Sparseness, complexity and localisation AUC, by hand and by their definitions.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/exam/complexity.h"
#include "engine/exam/localisation_auc.h"
#include "engine/exam/sparseness.h"
#include "engine/exam/statistics.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

TEST_CASE("sparseness: the Gini index of magnitudes") {
  CHECK(sparseness(plane_of(1, 4, {0, 0, -5, 0})) == 0.75);
  CHECK(sparseness(plane_of(2, 2, {3, -3, 3, 3})) == 0);
  CHECK(sparseness(plane_of(2, 2, {0, 0, 0, 0})) == 0);
  // Half the mean difference of any two, in units of the mean: |1−3| twice of four pairs.
  CHECK(sparseness(plane_of(1, 2, {1, -3})) == Approx(2.0 * 2 / 4 / 2 / 2));
  const Plane map = tied_noise(9, 7, 4);
  double differences = 0, sum = 0;
  for (const double a : map.values) {
    sum += std::abs(a);
    for (const double b : map.values) differences += std::abs(std::abs(a) - std::abs(b));
  }
  CHECK(sparseness(map) == Approx(differences / (2 * 63 * sum)));
  CHECK(sparseness(each(map, [](double v) { return -4 * v; })) == Approx(sparseness(map)));
}

TEST_CASE("complexity: the entropy of shares") {
  CHECK(complexity(plane_of(1, 4, {0, 0, -5, 0})) == 0);
  CHECK(complexity(plane_of(2, 2, {3, -3, 3, 3})) == Approx(std::log(4)));
  CHECK(complexity(plane_of(2, 2, {0, 0, 0, 0})) == Approx(std::log(4)));
  CHECK(complexity(plane_of(1, 3, {1, -2, 1})) == Approx(1.5 * std::log(2)));
}

TEST_CASE("localisation AUC: every pair of a pixel of the object and one beside it") {
  const Region object = region({"##..", "..#."});
  CHECK(localisation_auc(plane_of(object), object) == 1.0);
  CHECK(localisation_auc(each(plane_of(object), [](double v) { return -v; }), object) == 0.0);
  CHECK(localisation_auc(plane_of(2, 4, std::vector<double>(8, 2.0)), object) == 0.5);
  CHECK(localisation_auc(plane_of(object), region({"....", "...."})) == std::nullopt);
  CHECK(localisation_auc(plane_of(object), region({"####", "####"})) == std::nullopt);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Plane map = tied_noise(8, 9, seed);
    const Region r = random_region(8, 9, seed + 50);
    double wins = 0, pairs = 0;
    for (size_t i = 0; i < map.values.size(); ++i)
      for (size_t j = 0; j < map.values.size(); ++j)
        if (r.inside[i] && !r.inside[j]) {
          ++pairs;
          wins += map.values[i] > map.values[j] ? 1 : map.values[i] == map.values[j] ? 0.5 : 0;
        }
    CHECK(localisation_auc(map, r).value() == Approx(wins / pairs));
  }
}

TEST_CASE("correlation: by hand, with its interval") {
  const auto r = [](std::vector<double> a, std::vector<double> b) { return correlation(a, b); };
  CHECK(r({1, 2, 3}, {2, 4, 6}) == 1);
  CHECK(r({1, 2, 3}, {3, 2, 1}) == -1);
  CHECK(r({1, 2, 3, 4}, {1, 3, 2, 4}) == Approx(0.8));
  CHECK(r({0.1, 0.1, 0.1}, {1, 2, 3}) == 0);
  CHECK(r({}, {}) == 0);
  CHECK_THROWS(r({1}, {1, 2}));
  const Interval i = correlation_interval(0.5, 103);
  CHECK(i.low == Approx(std::tanh(std::atanh(0.5) - 0.196)));
  CHECK(i.high == Approx(std::tanh(std::atanh(0.5) + 0.196)));
  CHECK(correlation_interval(0.5, 3).low == -1);
  CHECK(correlation_interval(1, 50).high <= 1);
}

}  // namespace loupe::test
