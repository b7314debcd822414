#include "engine/lenses/vectors.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/common/parallel.h"
#include "kernels/common/suggest.h"

namespace loupe {

Metric parse_metric(std::string_view name) {
  const std::vector<std::string> names{"euclidean", "cosine"};
  if (name == names[0]) return Metric::euclidean;
  if (name == names[1]) return Metric::cosine;
  throw UsageError("there is no metric '" + std::string(name) + "': euclidean or cosine" +
                   did_you_mean(name, names));
}

std::string_view metric_name(Metric metric) { return metric == Metric::cosine ? "cosine" : "euclidean"; }

namespace {

template <typename T>
void expect_finite(const Tensor& x, std::string_view name) {
  const auto values = x.values<const T>();
  const auto found = std::ranges::find_if_not(values, [](T v) { return std::isfinite(v); });
  if (found == values.end()) return;
  const int64_t at = found - values.begin(), columns = x.shape()[1];
  throw UsageError(std::string(name) + " holds " + (std::isnan(*found) ? "NaN" : "an infinite number") +
                   " in row " + std::to_string(at / columns) + ", column " + std::to_string(at % columns) +
                   "; both count from 0");
}

}  // namespace

void expect_vectors(const Tensor& x, std::string_view name) {
  const Shape& s = x.shape();
  if (s.rank() != 2)
    throw UsageError(std::string(name) + " is of shape " + s.str() + "; vectors are (N, D), one a row");
  if (x.numel() == 0)
    throw UsageError(std::string(name) + " is of shape " + s.str() + ": it holds no vectors");
  if (x.dtype() != Dtype::f32 && x.dtype() != Dtype::f64)
    throw UsageError(std::string(name) + " holds whole numbers; vectors are float16, float32 or float64");
  x.dtype() == Dtype::f32 ? expect_finite<float>(x, name) : expect_finite<double>(x, name);
}

Tensor as_floats(const Tensor& x, std::string_view name) {
  expect_vectors(x, name);
  if (x.dtype() == Dtype::f32) return x;
  const Tensor floats = x.to(Dtype::f32);
  expect_finite<float>(floats, std::string(name) + ", in float32,");
  return floats;
}

Tensor unit_rows(const Tensor& x) {
  Tensor unit(Dtype::f32, x.shape());
  const auto to = unit.values<float>();
  parallel_for(x.shape()[0], [&](int64_t i) {
    const auto from = row_of(x, i);
    const double length = std::sqrt(dot(from, from));
    for (size_t k = 0; k < from.size(); ++k)
      to[static_cast<size_t>(i) * from.size() + k] =
          length > 0 ? static_cast<float>(static_cast<double>(from[k]) / length) : 0.0f;
  });
  return unit;
}

Tensor centred_rows(const Tensor& x, double* scale) {
  const int64_t n = x.shape()[0], dims = x.shape()[1];
  const auto from = x.values<const float>();
  std::vector<double> mean(static_cast<size_t>(dims)), lengths(static_cast<size_t>(n));
  parallel_for(dims, [&](int64_t k) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(from[static_cast<size_t>(i * dims + k)]);
    mean[static_cast<size_t>(k)] = sum / static_cast<double>(n);
  });
  parallel_for(n, [&](int64_t i) {
    const auto row = row_of(x, i);
    double sum = 0;
    for (size_t k = 0; k < row.size(); ++k) {
      const double d = static_cast<double>(row[k]) - mean[k];
      sum += d * d;
    }
    lengths[static_cast<size_t>(i)] = std::sqrt(sum);
  });
  const double greatest = *std::ranges::max_element(lengths), by = greatest > 0 ? greatest : 1;
  if (scale) *scale = by;
  Tensor centred(Dtype::f32, x.shape());
  const auto to = centred.values<float>();
  parallel_for(n, [&](int64_t i) {
    const auto row = row_of(x, i);
    for (size_t k = 0; k < row.size(); ++k)
      to[static_cast<size_t>(i) * row.size() + k] =
          static_cast<float>((static_cast<double>(row[k]) - mean[k]) / by);
  });
  return centred;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return sum;
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    const double d = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    sum += d * d;
  }
  return sum;
}

}  // namespace loupe
