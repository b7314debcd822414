// training_curve(): a file of telemetry as few points.
#include <doctest/doctest.h>

#include "engine/training/telemetry.h"
#include "kernels/common/error.h"
#include "tests/support/command.h"

namespace loupe::test {

TEST_CASE("training_curve: means over equal stretches") {
  const Folder folder;
  const std::string file = folder / "telemetry.jsonl";
  std::string lines;
  for (int step = 0; step < 10; ++step)
    lines += "{\"step\":" + std::to_string(step) + ",\"loss\":" + std::to_string(20 - 2 * step) +
             ",\"accuracy\":" + (step < 5 ? "0" : "1") + ",\"rate\":0.1}\n";
  write_text(file, lines);

  const auto two = training_curve(file, 2);
  REQUIRE(two.size() == 2);
  CHECK(two[0].step == doctest::Approx(2));
  CHECK(two[0].loss == doctest::Approx(16));
  CHECK(two[0].accuracy == doctest::Approx(0));
  CHECK(two[1].step == doctest::Approx(7));
  CHECK(two[1].loss == doctest::Approx(6));
  CHECK(two[1].accuracy == doctest::Approx(1));

  double steps = 0, count = 0;  // every step is in one stretch, also where they cannot be equally long
  for (const auto& p : training_curve(file, 3)) count += 1, steps += p.step;
  CHECK(count == 3);
  CHECK(steps == doctest::Approx(1 + 4 + 7.5));
  CHECK(training_curve(file, 100).size() == 10);
}

TEST_CASE("training_curve: what is no telemetry") {
  const Folder folder;
  write_text(folder / "empty", "");
  CHECK(training_curve(folder / "empty", 5).empty());
  write_text(folder / "half", "{\"step\":0,\"loss\":1,\"accuracy\":0}\n{\"step\":1,\"lo");
  CHECK_THROWS_WITH_AS(training_curve(folder / "half", 5), doctest::Contains("line 2"), Error);
  CHECK_THROWS_WITH_AS(training_curve(folder / "none", 5), doctest::Contains("none"), Error);
}

}  // namespace loupe::test
