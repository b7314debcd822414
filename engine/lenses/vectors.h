// Vectors: what the lenses of this room take, N points of D numbers, one a row.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/tensor/tensor.h"

namespace loupe {

enum class Metric : uint8_t {
  euclidean,  // the length of the difference
  cosine,     // of the angle; a vector of zeros is at a right angle to all others
};
/// "euclidean" or "cosine". Throws UsageError for another name.
Metric parse_metric(std::string_view name);
std::string_view metric_name(Metric metric);

/// Throws UsageError unless x is (N, D), of f32 or f64, N and D are 1 or more, and every number is finite; the error
/// names the first that is not by row and column, and begins with `name`.
void expect_vectors(const Tensor& x, std::string_view name);

/// The vectors in float32, as the lenses compute with them: f64 is rounded. Throws UsageError where that makes a number
/// infinite.
Tensor as_floats(const Tensor& x, std::string_view name);

/// Every row divided by its length, in float32; zeros stay.
Tensor unit_rows(const Tensor& x);

/// Less the mean of all rows, and divided by the greatest length that is then left, if it is not 0: float32, so that
/// squares neither overflow nor vanish. What the length was divided by goes to `scale`.
Tensor centred_rows(const Tensor& x, double* scale = nullptr);

/// Σ a·b and Σ (a − b)², in double and in order.
double dot(std::span<const float> a, std::span<const float> b);
double squared_distance(std::span<const float> a, std::span<const float> b);

/// Row i of a float32 tensor (N, D).
inline std::span<const float> row_of(const Tensor& x, int64_t i) {
  const auto d = static_cast<size_t>(x.shape()[1]);
  return std::span<const float>(reinterpret_cast<const float*>(x.raw()), static_cast<size_t>(x.numel()))
      .subspan(static_cast<size_t>(i) * d, d);
}

}  // namespace loupe
