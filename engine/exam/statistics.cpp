#include "engine/exam/statistics.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/error.h"

namespace loupe {

void Tally::add(double x) {
  ++count_;
  const double off = x - mean_;
  mean_ += off / static_cast<double>(count_);
  squares_ += off * (x - mean_);
}

double Tally::standard_error() const {
  if (count_ < 2) return 0;
  const auto n = static_cast<double>(count_);
  return std::sqrt(squares_ / (n - 1) / n);
}

double correlation(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) throw Error("a correlation is between as many numbers as numbers");
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0;
  for (size_t i = 0; i < a.size(); ++i) mean_a += a[i] / n, mean_b += b[i] / n;
  double aa = 0, bb = 0, ab = 0, size_a = 0, size_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    aa += da * da, bb += db * db, ab += da * db;
    size_a += a[i] * a[i], size_b += b[i] * b[i];
  }
  // What rounding leaves of numbers that are all the same is no variance.
  constexpr double kRounding = 1e-24;
  if (aa <= kRounding * size_a || bb <= kRounding * size_b) return 0;
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

Interval correlation_interval(double correlation, int64_t count) {
  if (count < 4) return {correlation, -1, 1};
  const double z = std::atanh(std::clamp(correlation, -1 + 1e-15, 1 - 1e-15)),
               reach = 1.96 / std::sqrt(static_cast<double>(count - 3));
  return {correlation, std::tanh(z - reach), std::tanh(z + reach)};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace loupe
