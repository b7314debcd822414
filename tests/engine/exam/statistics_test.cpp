// What many scores say together, and the random numbers behind them.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/exam/statistics.h"
#include "tests/support/planes.h"

namespace loupe::test {

using doctest::Approx;

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

}  // namespace loupe::test
