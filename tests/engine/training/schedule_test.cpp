// The learning rate: warm-up, half a cosine, and its ends.
#include "engine/training/schedule.h"

#include <doctest/doctest.h>

#include <cmath>

#include "kernels/common/error.h"

namespace loupe::test {
namespace {

TEST_CASE("it rises in equal parts, from one part and not from zero, to all of the rate") {
  CHECK(learning_rate(0.5, 0, 100, 10, 0.1) == 0.05);
  CHECK(learning_rate(0.5, 4, 100, 10, 0.1) == 0.25);
  CHECK(learning_rate(0.5, 9, 100, 10, 0.1) == 0.5);
  CHECK(learning_rate(3, 0, 4, 4, 0) == 0.75);
  CHECK(learning_rate(3, 3, 4, 4, 0) == 3);  // nothing but warm-up
}

TEST_CASE("then it falls along half a cosine to its part at the last step") {
  // A peak at step 10 and 80 steps from there: quarters of the way have known cosines.
  const auto rate = [](int64_t step) { return learning_rate(2, step, 91, 11, 0.25); };
  CHECK(rate(10) == 2);
  CHECK(rate(30) == doctest::Approx(2 * (0.25 + 0.75 * (1 + std::sqrt(0.5)) / 2)).epsilon(1e-12));
  CHECK(rate(50) == doctest::Approx(2 * (0.25 + 0.75 / 2)).epsilon(1e-12));
  CHECK(rate(70) == doctest::Approx(2 * (0.25 + 0.75 * (1 - std::sqrt(0.5)) / 2)).epsilon(1e-12));
  CHECK(rate(90) == doctest::Approx(0.5).epsilon(1e-12));
  for (int64_t step = 11; step <= 90; ++step) CHECK(rate(step) < rate(step - 1));
}

TEST_CASE("without a warm-up the first step has all of the rate") {
  CHECK(learning_rate(2, 0, 11, 0, 0) == 2);
  CHECK(learning_rate(2, 0, 11, 1, 0) == 2);
  CHECK(learning_rate(2, 5, 11, 0, 0) == doctest::Approx(1).epsilon(1e-12));
  CHECK(learning_rate(2, 10, 11, 0, 0) == 0);
  CHECK(learning_rate(2, 0, 1, 0, 0) == 2);   // a single step
  CHECK(learning_rate(2, 7, 11, 0, 1) == 2);  // no fall
}

TEST_CASE("nonsense is refused in one line") {
  CHECK_THROWS_WITH_AS(learning_rate(-1, 0, 1, 0, 0), "learning rate: it cannot be -1.000000", UsageError);
  CHECK_THROWS_WITH_AS(learning_rate(NAN, 0, 1, 0, 0), "learning rate: it cannot be nan", UsageError);
  CHECK_THROWS_WITH_AS(learning_rate(INFINITY, 0, 1, 0, 0), "learning rate: it cannot be inf", UsageError);
  for (const int64_t steps : {int64_t{0}, int64_t{-5}})
    CHECK_THROWS_AS(learning_rate(1, 0, steps, 0, 0), UsageError);
  CHECK_THROWS_WITH_AS(learning_rate(1, -1, 5, 0, 0), "learning rate: there is no step -1 among 5",
                       UsageError);
  CHECK_THROWS_WITH_AS(learning_rate(1, 5, 5, 0, 0), "learning rate: there is no step 5 among 5", UsageError);
  CHECK_THROWS_WITH_AS(learning_rate(1, 0, 5, 6, 0),
                       "learning rate: a warm-up takes from 0 to all of the 5 steps, not 6", UsageError);
  CHECK_THROWS_AS(learning_rate(1, 0, 5, -1, 0), UsageError);
  for (const double fraction : {-0.1, 1.1, double{NAN}})
    CHECK_THROWS_AS(learning_rate(1, 0, 5, 0, fraction), UsageError);
}

}  // namespace
}  // namespace loupe::test
