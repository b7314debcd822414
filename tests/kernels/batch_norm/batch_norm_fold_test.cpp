// A batch norm folded into the layer before it: the folded layer alone must give what the two gave.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "kernels/batch_norm/batch_norm.h"

namespace loupe {

namespace {

constexpr double kEps = 0.01;
using Numbers = std::vector<double>;

const Numbers kGamma = {1.5, -0.5, 2}, kBeta = {0.25, 0, -1}, kMean = {-0.75, 2, 0.5},
              kVariance = {0.5, 4, 0.03};

// Fold into a layer whose output channel o is bias[o] + Σ weight over the other dimensions · x.
template <typename T>
FoldedBatchNorm<T> fold(const std::vector<T>& weight, const Shape& shape, int dim,
                        const std::vector<T>& bias) {
  const auto cast = [](const Numbers& v) { return std::vector<T>(v.begin(), v.end()); };
  const std::vector<T> gamma = cast(kGamma), beta = cast(kBeta), mean = cast(kMean),
                       variance = cast(kVariance);
  return fold_batch_norm<T>(kEps, gamma, beta, mean, variance, weight, shape, dim, bias);
}

double normalised(double y, size_t o) {
  return (y - kMean[o]) / std::sqrt(kVariance[o] + kEps) * kGamma[o] + kBeta[o];
}

}  // namespace

TEST_CASE("folding into a weight (O, I, 2, 1) and into a transposed one (I, O, 2, 1)") {
  const Shape shapes[] = {{3, 2, 2, 1}, {2, 3, 2, 1}};
  for (int dim : {0, 1})
    for (const Numbers& bias : {Numbers{}, Numbers{0.5, -1, 3}}) {
      Numbers weight(12), x(4);  // x: one value for each (input channel, kernel row)
      for (size_t i = 0; i < 12; ++i) weight[i] = std::sin(static_cast<double>(i) + 1);
      for (size_t i = 0; i < 4; ++i) x[i] = std::cos(static_cast<double>(i));
      const auto layer = [&](const Numbers& w, const Numbers& b, size_t o) {
        double y = b.empty() ? 0 : b[o];
        for (size_t in = 0; in < 2; ++in)
          for (size_t r = 0; r < 2; ++r)
            y += w[dim == 0 ? (o * 2 + in) * 2 + r : (in * 3 + o) * 2 + r] * x[in * 2 + r];
        return y;
      };
      const auto folded = fold<double>(weight, shapes[dim], dim, bias);
      for (size_t o = 0; o < 3; ++o) {
        CAPTURE(dim);
        CAPTURE(o);
        // Some ten roundings of numbers that stay below 100.
        CHECK(std::fabs(layer(folded.weight, folded.bias, o) - normalised(layer(weight, bias, o), o)) <
              1000 * 0x1p-53);
      }
    }
}

TEST_CASE("float parameters are folded in double and rounded once") {
  const std::vector<float> weight = {0.1f, 0.2f, 0.3f}, bias = {1e-3f, 2.0f, -3.0f};
  const auto folded = fold<float>(weight, {3, 1}, 0, bias);
  for (size_t o = 0; o < 3; ++o) {
    const auto variance = static_cast<float>(kVariance[o]);
    const double scale =
        kGamma[o] / std::sqrt(static_cast<double>(variance) + kEps);  // kGamma … are exact in float
    CHECK(folded.weight[o] == static_cast<float>(static_cast<double>(weight[o]) * scale));
    CHECK(folded.bias[o] == static_cast<float>((static_cast<double>(bias[o]) - kMean[o]) * scale + kBeta[o]));
  }
}

TEST_CASE("lengths that do not fit together are refused") {
  const Numbers weight(12, 1.0);
  CHECK_THROWS_WITH_AS(fold<double>(weight, {2, 3, 2}, 0, {}),
                       "cannot fold a batch norm of 3 channels into a weight (2, 3, 2) with its output "
                       "channels in dimension 0",
                       Error);
  CHECK_THROWS_AS(fold<double>(weight, {3, 5}, 0, {}), Error);
  CHECK_THROWS_AS(fold<double>(weight, {3, 4}, 0, {1.0, 2.0}), Error);
  CHECK_THROWS_AS(fold<double>(weight, {3, 4}, 2, {}), Error);
}

}  // namespace loupe
