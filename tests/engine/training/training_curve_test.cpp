// training_curve(): telemetry as a few points.
#include <doctest/doctest.h>

#include "engine/training/telemetry.h"
#include "kernels/common/error.h"

namespace loupe::test {

TEST_CASE("training_curve: means over equal stretches") {
  std::string lines;
  for (int step = 0; step < 10; ++step)
    lines += "{\"step\":" + std::to_string(step) + ",\"loss\":" + std::to_string(20 - 2 * step) +
             ",\"accuracy\":" + (step < 5 ? "0" : "1") + ",\"rate\":0.1}\n";

  const auto two = training_curve(lines, 2);
  REQUIRE(two.size() == 2);
  CHECK(two[0].step == doctest::Approx(2));
  CHECK(two[0].loss == doctest::Approx(16));
  CHECK(two[0].accuracy == doctest::Approx(0));
  CHECK(two[1].step == doctest::Approx(7));
  CHECK(two[1].loss == doctest::Approx(6));
  CHECK(two[1].accuracy == doctest::Approx(1));

  double steps = 0, count = 0;  // every step is in one stretch, also where they cannot be equally long
  for (const auto& p : training_curve(lines, 3)) count += 1, steps += p.step;
  CHECK(count == 3);
  CHECK(steps == doctest::Approx(1 + 4 + 7.5));
  CHECK(training_curve(lines, 100).size() == 10);
}

TEST_CASE("training_curve: what is no telemetry") {
  CHECK(training_curve("", 5).empty());
  const std::string line = "{\"step\":0,\"loss\":1,\"accuracy\":0}";
  CHECK(training_curve(line, 5).size() == 1);  // also without a line break at the end
  CHECK_THROWS_WITH_AS(training_curve(line + "\n{\"step\":1,\"lo", 5), doctest::Contains("line 2"), Error);
  CHECK_THROWS_WITH_AS(training_curve(line + "\n\n", 5), doctest::Contains("line 2"), Error);
}

}  // namespace loupe::test
