// Nearest neighbours, exact: every pair is compared, by products in float32 whose rounding is bounded, and what that
// leaves open in double. Of points at one distance the one of the lower index is nearer.
#pragma once
#include <string>

#include "engine/lenses/vectors.h"
#include "engine/run/passes.h"

namespace loupe {

/// Of each of N points the k nearest others, nearest first.
struct Neighbours {
  int64_t k = 0;
  std::vector<int32_t> index = {};    // (N, k)
  std::vector<double> distance = {};  // (N, k): Euclidean; or 1 − the cosine

  int64_t size() const { return k ? std::ssize(index) / k : 0; }
  std::span<const int32_t> of(int64_t i) const {
    return std::span(index).subspan(static_cast<size_t>(i * k), static_cast<size_t>(k));
  }
};

/// Of x (N, D), float32. Throws UsageError unless 1 ≤ k < N.
Neighbours nearest_neighbours(const Tensor& x, int64_t k, Metric metric, const Progress& progress = {});

struct Near {
  int64_t index;
  double distance;  // as in Neighbours
};
/// The k rows of x nearest to a vector of D numbers, or as many as there are; not those of `except`.
std::vector<Near> nearest_to(const Tensor& x, std::span<const float> vector, int64_t k, Metric metric,
                             std::span<const int64_t> except = {});

/// What is to c as a is to b: the k rows nearest by cosine to a − b + c, each made of length 1 before, but for a, b
/// and c themselves (Mikolov, Yih & Zweig 2013, "Linguistic regularities in continuous space word representations").
std::vector<Near> analogy(const Tensor& x, int64_t a, int64_t b, int64_t c, int64_t k);

}  // namespace loupe
