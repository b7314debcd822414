// k-means (Lloyd 1982, "Least squares quantization in PCM"), begun by k-means++ (Arthur & Vassilvitskii 2007).
#pragma once
#include "engine/lenses/vectors.h"

namespace loupe {

struct Clusters {
  std::vector<int32_t> of = {};      // each point's, 0 … k − 1
  std::vector<double> centres = {};  // (k, D)
  double spread = 0;                 // Σ |x − its centre|²
  int64_t rounds = 0;
};

/// k clusters of x (N, D), float32, until no point changes its cluster, or `rounds` are done. The beginning is drawn
/// by the seed; a cluster that loses all its points takes the one that is farthest from its own centre. Clusters are
/// numbered by size, the largest first, then by their first point. The same for any number of threads. Throws
/// UsageError unless 1 ≤ k ≤ N.
Clusters k_means(const Tensor& x, int64_t k, uint64_t seed, int64_t rounds = 300);

}  // namespace loupe
