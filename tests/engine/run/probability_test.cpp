// Softmax over several classes, a sigmoid for one.
#include "engine/run/probability.h"

#include <doctest/doctest.h>

#include <vector>

namespace loupe {

TEST_CASE("one class: the sigmoid") {
  const auto of = [](double logit) { return class_probability(std::vector{logit}, 0); };
  CHECK(of(2.143105) == doctest::Approx(0.895023).epsilon(1e-6));
  CHECK(of(0) == 0.5);
  CHECK(of(-2.143105) == doctest::Approx(1 - 0.895023).epsilon(1e-5));
  CHECK(of(1000) == 1);
  CHECK(of(-1000) == 0);
}

TEST_CASE("several classes: softmax, however large the logits") {
  const std::vector<double> logits{1, 3, 2};
  double sum = 0;
  for (int64_t c = 0; c < 3; ++c) sum += class_probability(logits, c);
  CHECK(sum == doctest::Approx(1).epsilon(1e-15));
  CHECK(class_probability(logits, 1) ==
        doctest::Approx(1 / (1 + std::exp(-1.0) + std::exp(-2.0))).epsilon(1e-15));
  CHECK(class_probability(std::vector<double>{2000, 2000}, 0) == 0.5);
}

}  // namespace loupe
