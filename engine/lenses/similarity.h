// Similarity: how alike all pairs of vectors are, by blocked products in float32 of which it is known how far they
// can be from the truth, and the truth in double where that decides.
#pragma once
#include <functional>
#include <vector>

#include "engine/lenses/vectors.h"

namespace loupe {

class Similarity {
 public:
  /// x (N, D), float32; it is kept.
  Similarity(const Tensor& x, Metric metric);

  int64_t size() const { return x_.shape()[0]; }
  Metric metric() const { return metric_; }

  /// Calls take(i, first, scores) for rows i of [begin, end) and stretches of all columns from `first` on, on several
  /// threads, those of one row one after another. A score is greater for the nearer of two columns, and of i itself it
  /// is −∞: the cosine; or xᵢ·xⱼ − |xⱼ|²/2 of centred_rows().
  using Take = std::function<void(int64_t i, int64_t first, std::span<const float> scores)>;
  void scores(int64_t begin, int64_t end, const Take& take);
  /// Rows that scores() is best called with at once.
  static constexpr int64_t kRows = 512;

  /// How far a score of row i can be from score(i, j), either way, by rounding.
  float bound(int64_t i) const { return bounds_[static_cast<size_t>(i)]; }
  /// The same score in double.
  double score(int64_t i, int64_t j) const;
  /// What is compared at last: the squared distance of the vectors as they are, or 1 − their cosine, in double.
  double distance(int64_t i, int64_t j) const;
  /// The same to a vector that is none of them; its length.
  double distance(int64_t i, std::span<const float> to, double length) const;

 private:
  Metric metric_;
  Tensor x_, prepared_;                 // with a last column: a 1
  std::vector<float> packed_;           // for products: the same, with −|xⱼ|²/2 for the 1 (0 of cosines)
  std::vector<double> half_, lengths_;  // |xⱼ|²/2 of the prepared rows; |xⱼ| of x
  std::vector<float> bounds_;
  std::vector<float> block_;
  std::vector<std::byte> workspace_;
};

}  // namespace loupe
