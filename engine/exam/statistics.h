// What many scores say together.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace loupe {

/// Mean and standard error of the numbers that were added, in the order in which they came (Welford 1962).
class Tally {
 public:
  void add(double x);
  int64_t count() const { return count_; }
  /// 0 where there is none.
  double mean() const { return mean_; }
  /// Sample deviation / √count; 0 for fewer than two.
  double standard_error() const;

 private:
  int64_t count_ = 0;
  double mean_ = 0, squares_ = 0;
};

/// Pearson's correlation, in [-1, 1]; 0 where one of the two is the same everywhere. Throws Error for spans of
/// different sizes.
double correlation(std::span<const double> a, std::span<const double> b);

/// Where a mean lies with 95 % confidence.
struct Interval {
  double mean = 0, low = 0, high = 0;
};
/// Of a correlation that was found in `count` pairs, by Fisher's z: ±1.96/√(count − 3); [-1, 1] for fewer
/// than four.
Interval correlation_interval(double correlation, int64_t count);

/// Of an even number the mean of the middle two; 0 of none.
double median(std::vector<double> values);

}  // namespace loupe
