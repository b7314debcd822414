#include "engine/exam/imputation.h"

#include <Eigen/SparseCholesky>
#include <algorithm>
#include <vector>

#include "kernels/common/error.h"

namespace loupe {
namespace {

using Matrix = Eigen::SparseMatrix<double>;

struct Neighbour {
  int dy, dx;
  double weight;
};
constexpr double kDirect = 1.0 / 6, kDiagonal = 1.0 / 12;
constexpr Neighbour kNeighbours[] = {{0, -1, kDirect},   {0, 1, kDirect},     {-1, 0, kDirect},
                                     {1, 0, kDirect},    {-1, -1, kDiagonal}, {-1, 1, kDiagonal},
                                     {1, -1, kDiagonal}, {1, 1, kDiagonal}};

/// (D − W)·v = b over the removed pixels: D the sum of the weights of all neighbours, W those of removed ones; b the
/// weighted sum of those that stay, a column a channel. Of the matrix, which is symmetric, the lower half.
struct System {
  Matrix matrix;
  Eigen::MatrixXd sides;
};

System system_of(const Tensor& x, std::span<const int64_t> removed) {
  const int64_t channels = x.shape()[1], height = x.shape()[2], width = x.shape()[3], pixels = height * width;
  const auto values = x.values<double>();
  std::vector<int32_t> unknown(static_cast<size_t>(pixels), -1);
  for (size_t i = 0; i < removed.size(); ++i)
    unknown.at(static_cast<size_t>(removed[i])) = static_cast<int32_t>(i);
  const auto count = std::ssize(removed);
  System s{Matrix(count, count), Eigen::MatrixXd::Zero(count, channels)};
  std::vector<Eigen::Triplet<double>> entries;
  for (int32_t i = 0; i < count; ++i) {
    const int64_t p = removed[static_cast<size_t>(i)];
    double all = 0;
    for (const Neighbour& n : kNeighbours) {
      const int64_t y = p / width + n.dy, z = p % width + n.dx;
      if (y < 0 || y >= height || z < 0 || z >= width) continue;
      all += n.weight;
      const int64_t at = y * width + z;
      if (const int32_t j = unknown[static_cast<size_t>(at)]; j < 0)
        for (int64_t c = 0; c < channels; ++c)
          s.sides(i, c) += n.weight * values[static_cast<size_t>(c * pixels + at)];
      else if (j < i)
        entries.emplace_back(i, j, -n.weight);
    }
    entries.emplace_back(i, i, all);
  }
  s.matrix.setFromTriplets(entries.begin(), entries.end());
  return s;
}

}  // namespace

Tensor impute(const Tensor& x, std::span<const int64_t> removed, double noise, const Draws& draws) {
  const int64_t channels = x.shape()[1], pixels = x.shape()[2] * x.shape()[3];
  if (std::ssize(removed) >= pixels)
    throw UsageError("imputation needs a pixel that stays: " + std::to_string(removed.size()) + " of " +
                     std::to_string(pixels) + " were removed");
  const Tensor whole = x.to(Dtype::f64), filled(Dtype::f64, x.shape());
  std::ranges::copy(whole.values<double>(), filled.values<double>().begin());
  if (removed.empty()) return filled.to(x.dtype());
  std::vector<double> normals(static_cast<size_t>(channels * pixels));
  if (noise > 0) draws.normals("road", normals);
  const System s = system_of(whole, removed);
  const Eigen::SimplicialLDLT<Matrix> factors(s.matrix);
  if (factors.info() != Eigen::Success) throw Error("the system of the linear imputation cannot be solved");
  const Eigen::MatrixXd found = factors.solve(s.sides);
  for (int64_t c = 0; c < channels; ++c)
    for (size_t i = 0; i < removed.size(); ++i) {
      const auto at = static_cast<size_t>(c * pixels + removed[i]);
      filled.values<double>()[at] = found(static_cast<int64_t>(i), c) + noise * normals[at];
    }
  return filled.to(x.dtype());
}

}  // namespace loupe
