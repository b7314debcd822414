#include "engine/methods/regression.h"

#include <Eigen/Dense>

namespace loupe {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

Matrix matrix_of(const Observations& seen) {
  using Rows = Eigen::Matrix<uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Rows>(seen.members.data(), std::ssize(seen.weights), seen.columns).cast<double>();
}
Vector vector_of(std::span<const double> numbers) {
  return Eigen::Map<const Vector>(numbers.data(), std::ssize(numbers));
}

LinearFit finished(const Observations& seen, const Matrix& z, const Vector& phi, double intercept) {
  const Vector w = vector_of(seen.weights), v = vector_of(seen.values);
  const double mean = w.dot(v) / w.sum();
  const double all = (w.array() * (v.array() - mean).square()).sum();
  const double left = (w.array() * ((v - z * phi).array() - intercept).square()).sum();
  return {.coefficients = {phi.begin(), phi.end()},
          .intercept = intercept,
          .explained = all > 0 ? 1 - left / all : 1};
}

}  // namespace

LinearFit fit_shares(const Observations& seen, double intercept, double total) {
  // φ = total/n + y, Σ y = 0. The rows less their mean see only that part of y, and of all the y that fit equally well
  // the shortest has no other.
  const Matrix z = matrix_of(seen);
  const double even = total / static_cast<double>(seen.columns);
  const Vector roots = vector_of(seen.weights).cwiseSqrt(), size = z.rowwise().sum();
  const Matrix centred = z.colwise() - size / static_cast<double>(seen.columns);
  const Eigen::CompleteOrthogonalDecomposition<Matrix> solver(roots.asDiagonal() * centred);
  const Vector left = (vector_of(seen.values) - size * even).array() - intercept;
  const Vector y = solver.solve(roots.cwiseProduct(left));
  LinearFit fit = finished(seen, z, y.array() + even, intercept);
  fit.unique = solver.rank() + 1 >= seen.columns;
  return fit;
}

LinearFit fit_ridge(const Observations& seen, double ridge) {
  const int64_t n = seen.columns;
  const Matrix z = matrix_of(seen);
  Matrix all(z.rows(), n + 1);
  all << z, Vector::Ones(z.rows());
  const Vector w = vector_of(seen.weights);
  Matrix normal = all.transpose() * w.asDiagonal() * all;
  normal.diagonal().head(n).array() += ridge;
  const Vector solution = normal.ldlt().solve(all.transpose() * w.cwiseProduct(vector_of(seen.values)));
  return finished(seen, z, solution.head(n), solution[n]);
}

}  // namespace loupe
