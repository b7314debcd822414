#include "engine/neurons/penalties.h"

#include <cmath>

namespace loupe {

double l2_penalty(double weight, std::span<const double> x, std::span<double> gradient) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += x[i] * x[i];
    gradient[i] += 2 * weight * x[i];
  }
  return weight * sum;
}

double total_variation(double weight, std::span<const double> x, int64_t height, int64_t width,
                       std::span<double> gradient) {
  constexpr double kRound = 1e-3;
  const auto n = static_cast<size_t>(width);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool last_row = static_cast<int64_t>(i / n) % height == height - 1, last_column = i % n == n - 1;
    const double dy = last_row ? 0 : x[i + n] - x[i], dx = last_column ? 0 : x[i + 1] - x[i];
    const double length = std::sqrt(dy * dy + dx * dx + kRound * kRound);
    sum += length;
    const double gy = weight * dy / length, gx = weight * dx / length;
    gradient[i] -= gy + gx;
    if (!last_row) gradient[i + n] += gy;
    if (!last_column) gradient[i + 1] += gx;
  }
  return weight * sum;
}

}  // namespace loupe
