#include "engine/segment/colour_mixture.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/error.h"

namespace loupe {

namespace {

using Matrix = std::array<double, 9>;  // symmetric, row-major

struct Moments {
  double count = 0;
  Colour mean{};
  Matrix covariance{};
};

// Of the colours for which chosen(i) holds: two passes, so that nothing cancels.
template <typename Chosen>
Moments moments(std::span<const Colour> colours, const Chosen& chosen) {
  Moments m;
  for (size_t i = 0; i < colours.size(); ++i) {
    if (!chosen(i)) continue;
    m.count += 1;
    for (size_t a = 0; a < 3; ++a) m.mean[a] += colours[i][a];
  }
  if (m.count == 0) return m;
  for (double& v : m.mean) v /= m.count;
  for (size_t i = 0; i < colours.size(); ++i) {
    if (!chosen(i)) continue;
    for (size_t a = 0; a < 3; ++a)
      for (size_t b = 0; b < 3; ++b)
        m.covariance[3 * a + b] += (colours[i][a] - m.mean[a]) * (colours[i][b] - m.mean[b]) / m.count;
  }
  return m;
}

struct Axes {
  Colour values;   // eigenvalues
  Matrix vectors;  // column k belongs to values[k]
};

Axes axes_of(const Matrix& m) {
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(Eigen::Matrix3d(m.data()));
  Axes a;
  for (int k = 0; k < 3; ++k) {
    a.values[static_cast<size_t>(k)] = solver.eigenvalues()[k];
    for (int i = 0; i < 3; ++i) a.vectors[static_cast<size_t>(3 * i + k)] = solver.eigenvectors()(i, k);
  }
  return a;
}

size_t main_axis(const Axes& a) {
  return static_cast<size_t>(std::ranges::max_element(a.values) - a.values.begin());
}

double along(const Axes& a, size_t k, const Colour& colour, const Colour& mean) {
  double sum = 0;
  for (size_t i = 0; i < 3; ++i) sum += a.vectors[3 * i + k] * (colour[i] - mean[i]);
  return sum;
}

}  // namespace

ColourMixture::ColourMixture(std::span<const Colour> colours, int count) {
  if (colours.empty()) throw UsageError("a mixture of colours needs at least one colour");
  std::vector<int> of(colours.size(), 0);
  int made = 1;
  for (; made < count; ++made) {
    int widest = -1;
    double spread = kLeastVariance;  // what is narrower is one colour
    Moments at;
    Axes axes;
    for (int k = 0; k < made; ++k) {
      const Moments m = moments(colours, [&](size_t i) { return of[i] == k; });
      const Axes a = axes_of(m.covariance);
      const double most = a.values[main_axis(a)] * m.count;
      if (m.count < 2 || a.values[main_axis(a)] <= kLeastVariance || most <= spread) continue;
      spread = most;
      widest = k;
      at = m;
      axes = a;
    }
    if (widest < 0) break;
    for (size_t i = 0; i < colours.size(); ++i)
      if (of[i] == widest && along(axes, main_axis(axes), colours[i], at.mean) > 0) of[i] = made;
  }
  components_.resize(static_cast<size_t>(made));
  learn(colours, of);
}

void ColourMixture::learn(std::span<const Colour> colours, std::span<const int> components) {
  for (size_t k = 0; k < components_.size(); ++k) {
    Component& c = components_[k];
    const Moments m = moments(colours, [&](size_t i) { return components[i] == static_cast<int>(k); });
    c = {.weight = m.count / static_cast<double>(colours.size()), .mean = m.mean};
    if (m.count == 0) continue;
    // Where eigenvalues must be at least v, the likeliest are max(λ, v): each direction for itself.
    const Axes a = axes_of(m.covariance);
    for (size_t e = 0; e < 3; ++e) {
      const double value = std::max(a.values[e], kLeastVariance);
      c.log_determinant += std::log(value);
      for (size_t i = 0; i < 3; ++i)
        for (size_t j = 0; j < 3; ++j)
          c.precision[3 * i + j] += a.vectors[3 * i + e] * a.vectors[3 * j + e] / value;
    }
  }
}

double ColourMixture::cost(int k, const Colour& colour) const {
  const Component& c = components_[static_cast<size_t>(k)];
  if (c.weight == 0) return std::numeric_limits<double>::infinity();
  double square = 0;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j)
      square += (colour[i] - c.mean[i]) * c.precision[3 * i + j] * (colour[j] - c.mean[j]);
  return -std::log(c.weight) + 0.5 * (c.log_determinant + square);
}

int ColourMixture::nearest(const Colour& colour) const {
  int best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < count(); ++k)
    if (const double v = cost(k, colour); v < least) {
      least = v;
      best = k;
    }
  return best;
}

}  // namespace loupe
