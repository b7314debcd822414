// Quadrature: the points and weights of numerical integration.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace loupe {

struct Quadrature {
  std::vector<double> points, weights;  // on [0, 1], points rising; weights sum to 1
};

/// The n-point Gauss–Legendre rule, exact for polynomials up to degree 2n − 1. Throws UsageError for n < 1.
Quadrature gauss_legendre(int64_t n);
/// By name: gauss_legendre of n points; or of n equal intervals trapezoid (n + 1 points: their ends), midpoint, left
/// or right (Riemann sums: the middle, the lower, the upper end of each). Throws UsageError for another name and for
/// n < 1.
Quadrature quadrature(std::string_view rule, int64_t n);

}  // namespace loupe
