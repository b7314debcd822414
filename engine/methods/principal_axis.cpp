#include "engine/methods/principal_axis.h"

#include <Eigen/Eigenvalues>

namespace loupe {

std::vector<double> project_on_first_axis(std::span<const double> matrix, int64_t rows, int64_t columns) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Matrix> m(matrix.data(), rows, columns);
  // By the smaller of M·Mᵀ, whose first eigenvector is u in M·v = σ·u, and Mᵀ·M. Eigenvalues come in rising order.
  const auto first = [](const Matrix& symmetric) -> Eigen::VectorXd {
    return Eigen::SelfAdjointEigenSolver<Matrix>(symmetric).eigenvectors().rightCols(1);
  };
  Eigen::VectorXd projected;
  if (rows <= columns) {
    projected = first(m * m.transpose());
    projected *= (m.transpose() * projected).norm();
  } else {
    projected = m * first(m.transpose() * m);
  }
  return {projected.begin(), projected.end()};
}

}  // namespace loupe
