#include "engine/exam/imputation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/common/error.h"

namespace loupe {
namespace {

constexpr double kResidual = 1e-10;

/// (D − W)·v = b over the removed pixels: D the sum of the weights of all neighbours, W those of removed ones.
struct System {
  static constexpr int32_t kNone = -1;
  std::vector<double> diagonal;
  std::vector<std::array<int32_t, 8>> neighbours;  // among the unknowns, or kNone: direct ones first
  std::vector<std::vector<double>> sides;          // right-hand sides, one a channel

  static double weight(size_t k) { return k < 4 ? 1.0 / 6 : 1.0 / 12; }
  size_t size() const { return diagonal.size(); }

  void multiply(const std::vector<double>& v, std::vector<double>& to) const {
    for (size_t i = 0; i < size(); ++i) {
      double direct = 0, diagonally = 0;
      for (size_t k = 0; k < 4; ++k)
        if (neighbours[i][k] >= 0) direct += v[static_cast<size_t>(neighbours[i][k])];
      for (size_t k = 4; k < 8; ++k)
        if (neighbours[i][k] >= 0) diagonally += v[static_cast<size_t>(neighbours[i][k])];
      to[i] = diagonal[i] * v[i] - weight(0) * direct - weight(4) * diagonally;
    }
  }
};

System system_of(const Tensor& x, std::span<const int64_t> removed) {
  const int64_t channels = x.shape()[1], height = x.shape()[2], width = x.shape()[3];
  const auto values = x.values<double>();
  std::vector<int32_t> unknown(static_cast<size_t>(height * width), System::kNone);
  for (size_t i = 0; i < removed.size(); ++i)
    unknown.at(static_cast<size_t>(removed[i])) = static_cast<int32_t>(i);
  System s{
      std::vector<double>(removed.size()), std::vector<std::array<int32_t, 8>>(removed.size()),
      std::vector<std::vector<double>>(static_cast<size_t>(channels), std::vector<double>(removed.size()))};
  constexpr int kOffsets[8][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
  for (size_t i = 0; i < removed.size(); ++i)
    for (size_t k = 0; k < 8; ++k) {
      s.neighbours[i][k] = System::kNone;
      const int64_t py = removed[i] / width + kOffsets[k][0], px = removed[i] % width + kOffsets[k][1];
      if (py < 0 || py >= height || px < 0 || px >= width) continue;
      const int64_t at = py * width + px;
      s.diagonal[i] += System::weight(k);
      s.neighbours[i][k] = unknown[static_cast<size_t>(at)];
      if (s.neighbours[i][k] >= 0) continue;
      for (int64_t c = 0; c < channels; ++c)
        s.sides[static_cast<size_t>(c)][i] +=
            System::weight(k) * values[static_cast<size_t>(c * height * width + at)];
    }
  return s;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Conjugate gradients (Hestenes & Stiefel 1952), preconditioned by the diagonal.
std::vector<double> solve(const System& s, const std::vector<double>& b) {
  const size_t n = s.size();
  std::vector<double> v(n), r = b, z(n), p(n), q(n);
  const double enough = kResidual * kResidual * dot(b, b);
  double rz = 0;
  for (size_t step = 0; dot(r, r) > enough; ++step) {
    if (step > 10 * n + 100) throw Error("linear imputation does not converge");
    for (size_t i = 0; i < n; ++i) z[i] = r[i] / s.diagonal[i];
    const double before = rz;
    rz = dot(r, z);
    for (size_t i = 0; i < n; ++i) p[i] = step ? z[i] + rz / before * p[i] : z[i];
    s.multiply(p, q);
    const double length = rz / dot(p, q);
    for (size_t i = 0; i < n; ++i) v[i] += length * p[i], r[i] -= length * q[i];
  }
  return v;
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
  for (int64_t c = 0; c < channels; ++c) {
    const std::vector<double> v = solve(s, s.sides[static_cast<size_t>(c)]);
    for (size_t i = 0; i < removed.size(); ++i) {
      const auto at = static_cast<size_t>(c * pixels + removed[i]);
      filled.values<double>()[at] = v[i] + noise * normals[at];
    }
  }
  return filled.to(x.dtype());
}

}  // namespace loupe
