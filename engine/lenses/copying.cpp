#include "engine/lenses/copying.h"

#include <Eigen/Eigenvalues>
#include <cmath>

namespace loupe {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrix(const Tensor& t) {
  const Tensor doubles = t.to(Dtype::f64);
  return Eigen::Map<const Matrix>(doubles.values<const double>().data(), t.shape()[0], t.shape()[1]);
}

}  // namespace

double copying_score(const Tensor& value, const Tensor& output, const Tensor& tokens, const Tensor& logits) {
  if (value.shape()[1] != tokens.shape()[1] || output.shape()[0] != logits.shape()[1] ||
      value.shape()[0] != output.shape()[1] || tokens.shape()[0] != logits.shape()[0])
    throw UsageError("an OV circuit of " + value.shape().str() + " and " + output.shape().str() +
                     " does not fit tables " + tokens.shape().str() + " and " + logits.shape().str());
  const Matrix through = (matrix(value) * matrix(tokens).transpose()) * (matrix(logits) * matrix(output));
  const Eigen::VectorXcd eigenvalues = Eigen::EigenSolver<Matrix>(through, false).eigenvalues();
  double sum = 0, size = 0;
  for (Eigen::Index i = 0; i < eigenvalues.size(); ++i) {
    sum += eigenvalues[i].real();
    size += std::abs(eigenvalues[i]);
  }
  return size > 0 ? sum / size : 0;
}

}  // namespace loupe
