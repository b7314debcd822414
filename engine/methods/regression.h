// Linear models of what a network says of coalitions, fitted in double.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace loupe {

/// The largest number of segments that a regression takes: its time grows with the square.
inline constexpr int64_t kMostColumns = 4096;

/// What is fitted: of each row s its members z_s (rows, columns), 0 or 1, a weight w_s ≥ 0 and a value v_s.
struct Observations {
  int64_t columns = 0;
  std::span<const uint8_t> members;
  std::span<const double> weights;
  std::span<const double> values;
};

struct LinearFit {
  std::vector<double> coefficients;  // (columns)
  double intercept = 0;
  /// Whether the rows settle the coefficients; if not, these are the ones that fit with the least Σ (φ_j − mean φ)².
  bool unique = true;
  /// 1 − Σ w (v − prediction)² / Σ w (v − v̄)², v̄ the weighted mean; 1 where all values are equal.
  double explained = 1;
};

/// The φ with Σ φ = total that minimises Σ w (v − intercept − z·φ)².
LinearFit fit_shares(const Observations& seen, double intercept, double total);
/// The φ and b that minimise Σ w (v − b − z·φ)² + ridge·‖φ‖²; b is the fit's intercept. ridge > 0, and a weight that is
/// not 0.
LinearFit fit_ridge(const Observations& seen, double ridge);

}  // namespace loupe
