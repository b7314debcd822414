#include "engine/neurons/colours.h"

namespace loupe {

namespace {
using Matrix = std::array<std::array<double, 3>, 3>;

constexpr double kLongest = 0.4619524;  // of the first column, √(0.26² + 0.27² + 0.27²)

Matrix transposed(const Matrix& a) {
  Matrix t;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) t[i][j] = a[j][i];
  return t;
}

// By cofactors.
Matrix inverse(const Matrix& a) {
  Matrix b;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) {
      const size_t p = (j + 1) % 3, q = (j + 2) % 3, r = (i + 1) % 3, s = (i + 2) % 3;
      b[i][j] = a[p][r] * a[q][s] - a[p][s] * a[q][r];
    }
  const double determinant = a[0][0] * b[0][0] + a[0][1] * b[1][0] + a[0][2] * b[2][0];
  for (auto& row : b)
    for (double& v : row) v /= determinant;
  return b;
}

void multiply(const Matrix& a, std::span<double> planes, int64_t channels) {
  if (channels != 3) return;
  const size_t n = planes.size() / 3;
  for (size_t i = 0; i < n; ++i) {
    const double x = planes[i], y = planes[n + i], z = planes[2 * n + i];
    for (size_t c = 0; c < 3; ++c) planes[c * n + i] = a[c][0] * x + a[c][1] * y + a[c][2] * z;
  }
}
}  // namespace

const Matrix kColourAxes{{{0.26 / kLongest, 0.09 / kLongest, 0.02 / kLongest},
                          {0.27 / kLongest, 0.00 / kLongest, -0.05 / kLongest},
                          {0.27 / kLongest, -0.09 / kLongest, 0.03 / kLongest}}};

void correlate(std::span<double> planes, int64_t channels) { multiply(kColourAxes, planes, channels); }
void pull_correlate(std::span<double> planes, int64_t channels) {
  multiply(transposed(kColourAxes), planes, channels);
}
void decorrelate(std::span<double> planes, int64_t channels) {
  multiply(inverse(kColourAxes), planes, channels);
}

}  // namespace loupe
