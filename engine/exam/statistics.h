// What many scores say together.
#pragma once
#include <cstdint>
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

/// Of an even number the mean of the middle two; 0 of none.
double median(std::vector<double> values);

}  // namespace loupe
