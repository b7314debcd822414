// Copying scores, by OV circuits whose eigenvalues are known.
#include "engine/lenses/copying.h"

#include <doctest/doctest.h>

namespace loupe::test {
namespace {

Tensor matrix(std::vector<double> values, Shape shape) {
  return Tensor::from(std::span<const double>(values), shape);
}

TEST_CASE("copying_score: 1 of a copying head, −1 of its opposite, 0 of one that turns or does nothing") {
  // Three tokens in a stream of three numbers, each with a direction of its own.
  const Tensor tables = matrix({1, 0, 0, 0, 1, 0, 0, 0, 1}, {3, 3});
  const Tensor value = matrix({2, 0, 0, 0, 3, 0}, {2, 3});
  const auto score = [&](std::vector<double> output) {
    return copying_score(value, matrix(std::move(output), {3, 2}), tables, tables);
  };
  CHECK(score({1, 0, 0, 1, 0, 0}) == doctest::Approx(1));  // eigenvalues 2 and 3
  CHECK(score({-1, 0, 0, -1, 0, 0}) == doctest::Approx(-1));
  CHECK(score({1, 0, 0, -1, 0, 0}) == doctest::Approx(-0.2));  // 2 and −3
  CHECK(score({0, -1, 1, 0, 0, 0}) == doctest::Approx(0));     // ±i√6
  CHECK(score({0, 0, 0, 0, 1, 1}) == doctest::Approx(0));      // what is read is not written
  CHECK(score({0, 0, 0, 0, 0, 0}) == 0);
}

TEST_CASE("copying_score: the vocabulary's matrix has the same eigenvalues") {
  // numpy.linalg.eigvals(U @ O @ V @ E.T): sum of the eigenvalues over the sum of their sizes.
  const Tensor value = matrix({0.35, 0.82, 0.33, -1.3, 0.91, 0.45}, {2, 3}),
               output = matrix({-0.54, 0.58, 0.36, 0.29, 0.03, 0.55}, {3, 2});
  const Tensor tokens = matrix({-0.74, -0.16, -0.48, 0.6, 0.04, -0.29, -0.78, -0.26, 0.01, -0.28, 1.29, 1.01},
                               {4, 3}),
               logits = matrix({-2.71, -1.89, -0.17, -0.42, 0.21, 0.22, 2.12, -1.11, -0.38, 2.04, 0.65, 0.66},
                               {4, 3});
  CHECK(copying_score(value, output, tokens, logits) == doctest::Approx(0.3941303015295).epsilon(1e-10));
  CHECK_THROWS_AS(copying_score(value, value, tokens, logits), UsageError);
}

}  // namespace
}  // namespace loupe::test
