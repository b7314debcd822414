#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "kernels/attention_statistics/attention_statistics.h"
#include "kernels/common/parallel.h"

namespace loupe::ref {

namespace {

// The scores of one query, −∞ of keys that it does not see.
template <typename T>
void make_scores(const AttentionSizes& a, const AttentionOperands<T>& o, int64_t n, int64_t h, int64_t i,
                 std::vector<T>& scores) {
  const T* q = o.q + ((n * a.queries + i) * a.heads + h) * a.width;
  for (int64_t j = 0; j < a.keys; ++j) {
    const T* k = o.k + ((n * a.keys + j) * a.kv_heads + h / a.group()) * a.width;
    const bool masked = (a.causal && j > i) || (o.padding && !o.padding[n * a.keys + j]);
    T dot = 0;
    for (int64_t c = 0; c < a.width; ++c) dot += q[c] * k[c];
    scores[static_cast<size_t>(j)] =
        masked ? -std::numeric_limits<T>::infinity() : static_cast<T>(a.scale) * dot;
  }
}

// log Σ exp(s); 0 where all keys are masked.
template <typename T>
T log_sum_of(const std::vector<T>& scores) {
  T largest = -std::numeric_limits<T>::infinity(), sum = 0;
  for (const T s : scores) largest = s > largest ? s : largest;
  if (std::isinf(largest)) return 0;
  for (const T s : scores) sum += std::exp(s - largest);
  return largest + std::log(sum);
}

// One head of one image. Rows and profile are zeros to begin with.
template <typename T>
void head(const AttentionSizes& a, const AttentionOperands<T>& o, const StatisticsArrays& arrays, int64_t n,
          int64_t h, T* rows, T* profile) {
  const int64_t length = a.queries;
  std::vector<T> scores(static_cast<size_t>(length));
  std::vector<int64_t> counts(static_cast<size_t>(2 * length - 1));

  for (int64_t i = 0; i < length; ++i) {
    make_scores(a, o, n, h, i, scores);
    const T log_sum = log_sum_of(scores);
    const auto row = [&](int64_t r) -> T& { return rows[r * length + i]; };
    const auto of = [&](Statistic s) -> T& { return row(static_cast<int64_t>(s)); };
    of(Statistic::log_sum) = log_sum;
    const int64_t earlier = arrays.earlier[n * length + i];
    const bool counts_here = !o.padding || o.padding[n * length + i];
    for (int64_t j = 0; j < length; ++j) {
      const T score = scores[static_cast<size_t>(j)], p = std::exp(score - log_sum);
      if (p > 0) of(Statistic::entropy) += p * (log_sum - score);
      of(Statistic::distance) += p * static_cast<T>(std::abs(i - j));
      if (j == i - 1) of(Statistic::previous) = p;
      if (j == 0) of(Statistic::first) = p;
      if (earlier >= 0 && j == earlier) of(Statistic::duplicate) = p;
      if (earlier >= 0 && j == earlier + 1) of(Statistic::induction) = p;
      if (arrays.set)
        if (const int64_t g = arrays.set[n * length + j]; g >= 0 && g < arrays.sets)
          row(kStatistics + g) += p;
      if (!counts_here) continue;
      profile[i - j + length - 1] += p;
      ++counts[static_cast<size_t>(i - j + length - 1)];
    }
  }
  for (size_t at = 0; at < counts.size(); ++at)
    if (counts[at] > 0) profile[at] /= static_cast<T>(counts[at]);
}

}  // namespace

template <typename T>
void attention_statistics(const AttentionSizes& a, const AttentionOperands<T>& o, const StatisticsArrays& s,
                          T* rows, T* profile) {
  parallel_for(a.n * a.heads, [&](int64_t t) {
    std::vector<T> found(static_cast<size_t>(s.rows() * a.queries)),
        means(static_cast<size_t>(2 * a.queries - 1));
    head(a, o, s, t / a.heads, t % a.heads, found.data(), means.data());
    if (rows) std::ranges::copy(found, rows + t * std::ssize(found));
    if (profile) std::ranges::copy(means, profile + t * std::ssize(means));
  });
}

template void attention_statistics(const AttentionSizes&, const AttentionOperands<float>&,
                                   const StatisticsArrays&, float*, float*);
template void attention_statistics(const AttentionSizes&, const AttentionOperands<double>&,
                                   const StatisticsArrays&, double*, double*);

}  // namespace loupe::ref
