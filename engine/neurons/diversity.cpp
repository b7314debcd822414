#include "engine/neurons/diversity.h"

#include <Eigen/Core>

namespace loupe {

namespace {
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
}  // namespace

double diversity(const Tensor& maps, const Tensor& gradient) {
  const Shape& s = maps.shape();
  if (s.rank() != 4) throw UsageError("pictures are kept unlike by maps (N, C, H, W), not by " + s.str());
  const int64_t n = s[0], channels = s[1], places = s[2] * s[3];
  const auto of = [&](const Tensor& t, int64_t i) {
    return Eigen::Map<Matrix>(t.row(i).values<double>().data(), channels, places);
  };
  std::vector<Matrix> gram, unit;  // G, and G/‖G‖
  for (int64_t i = 0; i < n; ++i) {
    gram.emplace_back(of(maps, i) * of(maps, i).transpose());
    const double norm = gram.back().norm();
    unit.emplace_back(norm > 0 ? Matrix(gram.back() / norm) : Matrix(Matrix::Zero(channels, channels)));
  }
  double value = 0;
  for (int64_t i = 0; i < n; ++i) {
    Matrix slope = Matrix::Zero(channels, channels);  // dD/dG_i
    const auto at = static_cast<size_t>(i);
    const double norm = gram[at].norm();
    for (int64_t j = 0; j < n; ++j) {
      if (j == i || norm == 0) continue;
      const Matrix& other = unit[static_cast<size_t>(j)];
      const double cosine = unit[at].cwiseProduct(other).sum();
      if (j > i) value -= cosine;
      slope -= (other - cosine * unit[at]) / norm;
    }
    of(gradient, i) = 2 * slope * of(maps, i);  // slope is symmetric
  }
  return value;
}

}  // namespace loupe
