#include "engine/run/quadrature.h"

#include <cmath>
#include <numbers>
#include <string>

#include "kernels/common/error.h"

namespace loupe {

Quadrature gauss_legendre(int64_t n) {
  if (n < 1) throw UsageError("a quadrature needs at least one step, not " + std::to_string(n));
  Quadrature q{std::vector<double>(static_cast<size_t>(n)), std::vector<double>(static_cast<size_t>(n))};
  const double degree = static_cast<double>(n);
  for (int64_t i = 0; i < (n + 1) / 2; ++i) {
    // The i-th largest root of the Legendre polynomial P_n, by Newton's iteration from Tricomi's estimate.
    double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (degree + 0.5)), slope = 1;
    if (2 * i + 1 == n) x = 0;
    for (int round = 0; round < 10; ++round) {
      double p = 1, before = 0;  // P_k and P_{k−1}
      for (int64_t k = 1; k <= n; ++k) {
        const double next = (static_cast<double>(2 * k - 1) * x * p - static_cast<double>(k - 1) * before) /
                            static_cast<double>(k);
        before = p;
        p = next;
      }
      slope = degree * (x * p - before) / (x * x - 1);
      const double step = p / slope;
      x -= step;
      if (std::abs(step) < 1e-16) break;
    }
    const double weight = 1 / ((1 - x * x) * slope * slope);  // of [−1, 1] it is twice this
    const auto low = static_cast<size_t>(i), high = static_cast<size_t>(n - 1 - i);
    q.points[low] = (1 - x) / 2;
    q.points[high] = (1 + x) / 2;
    q.weights[low] = q.weights[high] = weight;
  }
  return q;
}

Quadrature quadrature(std::string_view rule, int64_t n) {
  if (rule == "gauss_legendre") return gauss_legendre(n);
  const bool trapezoid = rule == "trapezoid";
  const double shift = rule == "midpoint" ? 0.5 : rule == "right" ? 1 : 0;
  if (!trapezoid && shift == 0 && rule != "left")
    throw UsageError("there is no quadrature '" + std::string(rule) +
                     "'; there are gauss_legendre, trapezoid, midpoint, left and right");
  if (n < 1) throw UsageError("a quadrature needs at least one step, not " + std::to_string(n));
  Quadrature q;
  for (int64_t k = 0; k < n + (trapezoid ? 1 : 0); ++k) {
    q.points.push_back((static_cast<double>(k) + shift) / static_cast<double>(n));
    q.weights.push_back((trapezoid && (k == 0 || k == n) ? 0.5 : 1.0) / static_cast<double>(n));
  }
  return q;
}

}  // namespace loupe
