#include "engine/methods/principal_axis.h"

#include <algorithm>
#include <cmath>

namespace loupe {

namespace {
using Matrix = std::vector<double>;

// M·Mᵀ, (rows, rows).
Matrix times_transposed(std::span<const double> m, int64_t rows, int64_t columns) {
  // By rows of Mᵀ, which add multiples of one row to another, rather than by inner products.
  Matrix transposed(m.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) transposed[c * rows + r] = m[r * columns + c];
  Matrix product(static_cast<size_t>(rows * rows), 0.0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const double factor = m[r * columns + c];
      const double* from = transposed.data() + c * rows;
      double* to = product.data() + r * rows;
      for (int64_t i = r; i < rows; ++i) to[i] += factor * from[i];
    }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < r; ++i) product[r * rows + i] = product[i * rows + r];
  return product;
}

// The eigenvector of the largest eigenvalue of a symmetric G ≥ 0. G squared over and over, G^(2^i), is one eigenvector
// alone when that power of the ratio of the two largest eigenvalues is gone, however near 1 the ratio was.
std::vector<double> first_eigenvector(Matrix g, int64_t n) {
  constexpr int kSquarings = 60;
  for (int i = 0; i < kSquarings; ++i) {
    double trace = 0;
    for (int64_t r = 0; r < n; ++r) trace += g[r * n + r];
    if (!(trace > 0) || !std::isfinite(trace)) break;
    double squares = 0;  // of the eigenvalues, which add up to 1 from here on
    for (double& v : g) {
      v /= trace;
      squares += v * v;
    }
    if (1 - squares < 1e-15) break;
    g = times_transposed(g, n, n);
  }
  int64_t best = 0;
  for (int64_t r = 1; r < n; ++r)
    if (g[r * n + r] > g[best * n + best]) best = r;
  std::vector<double> axis(g.begin() + best * n, g.begin() + (best + 1) * n);
  double length = 0;
  for (const double v : axis) length += v * v;
  length = std::sqrt(length);
  if (length > 0)
    for (double& v : axis) v /= length;
  return axis;
}
}  // namespace

std::vector<double> project_on_first_axis(std::span<const double> matrix, int64_t rows, int64_t columns) {
  if (rows <= columns) {  // M·v = σ·u, by the smaller of the two products
    std::vector<double> u = first_eigenvector(times_transposed(matrix, rows, columns), rows);
    std::vector<double> back(static_cast<size_t>(columns), 0.0);  // Mᵀ·u = σ·v
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) back[c] += u[r] * matrix[r * columns + c];
    double sigma = 0;
    for (const double v : back) sigma += v * v;
    sigma = std::sqrt(sigma);
    for (double& v : u) v *= sigma;
    return u;
  }
  Matrix transposed(matrix.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) transposed[c * rows + r] = matrix[r * columns + c];
  const std::vector<double> v = first_eigenvector(times_transposed(transposed, columns, rows), columns);
  std::vector<double> projected(static_cast<size_t>(rows), 0.0);
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t r = 0; r < rows; ++r) projected[r] += v[c] * transposed[c * rows + r];
  return projected;
}

}  // namespace loupe
