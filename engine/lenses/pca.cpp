#include "engine/lenses/pca.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/array.h"
#include "kernels/common/parallel.h"

namespace loupe {
namespace {

using Matrix = Eigen::MatrixXd;
using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int64_t kSide = 64;      // of a tile of a product, which one thread makes
constexpr int64_t kLength = 1024;  // of the sums in it that are made at once

// aᵀ·a of columns of a, or a·aᵀ of its rows: symmetric, in tiles.
template <bool kOfRows>
Matrix products(const Rows& a) {
  const int64_t n = kOfRows ? a.rows() : a.cols(), length = kOfRows ? a.cols() : a.rows();
  const int64_t tiles = ceil_div(n, kSide);
  Matrix all(n, n);
  parallel_for(tiles * tiles, [&](int64_t t) {
    const int64_t i = t / tiles * kSide, j = t % tiles * kSide;
    if (j < i) return;
    const int64_t h = std::min(kSide, n - i), w = std::min(kSide, n - j);
    Matrix sum = Matrix::Zero(h, w);
    for (int64_t k = 0; k < length; k += kLength) {
      const int64_t l = std::min(kLength, length - k);
      if constexpr (kOfRows)
        sum.noalias() += a.block(i, k, h, l) * a.block(j, k, w, l).transpose();
      else
        sum.noalias() += a.block(k, i, l, h).transpose() * a.block(k, j, l, w);
    }
    all.block(i, j, h, w) = sum;
    all.block(j, i, w, h) = sum.transpose();
  });
  return all;
}

Rows centred(const Tensor& x, std::vector<double>& mean) {
  const int64_t n = x.shape()[0], dims = x.shape()[1];
  const auto from = x.values<const float>();
  mean.assign(static_cast<size_t>(dims), 0);
  Rows a(n, dims);
  parallel_for(dims, [&](int64_t k) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(from[static_cast<size_t>(i * dims + k)]);
    mean[static_cast<size_t>(k)] = sum / static_cast<double>(n);
  });
  parallel_for(n, [&](int64_t i) {
    for (int64_t k = 0; k < dims; ++k)
      a(i, k) = static_cast<double>(from[static_cast<size_t>(i * dims + k)]) - mean[static_cast<size_t>(k)];
  });
  return a;
}

void make_positive(Eigen::Ref<Eigen::RowVectorXd> axis) {
  int64_t greatest = 0;
  for (int64_t k = 1; k < axis.size(); ++k)
    if (std::abs(axis(k)) > std::abs(axis(greatest))) greatest = k;
  if (axis(greatest) < 0) axis = -axis;
}

}  // namespace

Pca pca(const Tensor& x, int64_t count) {
  const int64_t n = x.shape()[0], dims = x.shape()[1], least = std::min(n, dims);
  if (n < 2) throw UsageError("principal components need two points or more");
  if (count < 1) throw UsageError("principal components are 1 or more");
  Pca result{.mean = {},
             .axes = Tensor::zeros(Dtype::f64, {count, dims}),
             .spread = std::vector<double>(static_cast<size_t>(count)),
             .scores = Tensor::zeros(Dtype::f64, {n, count})};
  const Rows a = centred(x, result.mean);
  const bool of_rows = n < dims;
  const Eigen::SelfAdjointEigenSolver<Matrix> solved(of_rows ? products<true>(a) : products<false>(a));
  if (solved.info() != Eigen::Success) throw Error("the principal components did not converge");
  const auto& values = solved.eigenvalues();  // ascending
  result.total = std::max(0.0, values.sum()) / static_cast<double>(n - 1);
  // What is left of rounding beyond the rank.
  const double none =
      values(least - 1) * static_cast<double>(std::max(n, dims)) * std::numeric_limits<double>::epsilon();
  Eigen::Map<Rows> axes(result.axes.values<double>().data(), count, dims),
      scores(result.scores.values<double>().data(), n, count);
  for (int64_t c = 0; c < std::min(count, least); ++c) {
    const double value = values(least - 1 - c);
    if (!(value > none) || !(value > 0)) break;
    Eigen::RowVectorXd axis =
        of_rows ? Eigen::RowVectorXd(solved.eigenvectors().col(least - 1 - c).transpose() * a)
                : Eigen::RowVectorXd(solved.eigenvectors().col(least - 1 - c).transpose());
    axis /= axis.norm();
    make_positive(axis);
    axes.row(c) = axis;
    result.spread[static_cast<size_t>(c)] = value / static_cast<double>(n - 1);
  }
  parallel_for(n, [&](int64_t i) { scores.row(i).noalias() = a.row(i) * axes.transpose(); });
  return result;
}

}  // namespace loupe
