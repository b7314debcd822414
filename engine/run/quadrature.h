// Quadrature: the points and weights of numerical integration.
#pragma once
#include <cstdint>
#include <vector>

namespace loupe {

struct Quadrature {
  std::vector<double> points, weights;  // on [0, 1], points rising; weights sum to 1
};

/// The n-point Gauss–Legendre rule, exact for polynomials up to degree 2n − 1. Throws UsageError for n < 1.
Quadrature gauss_legendre(int64_t n);

}  // namespace loupe
