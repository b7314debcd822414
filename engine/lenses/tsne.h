// Exact t-SNE: a map on which what is near stays near (van der Maaten & Hinton 2008, "Visualizing data using t-SNE",
// JMLR 9). Every pair of points counts in every step; nothing is sampled, and there is no tree and no grid.
//
//   p(j given i) ∝ exp(−βᵢ|xᵢ − xⱼ|²)    P = (p(j given i) + p(i given j)) / 2N    βᵢ: the entropy is log(perplexity)
//   Q ∝ q = 1 / (1 + |yᵢ − yⱼ|²)         dKL/dyᵢ = 4 Σ_j (P − Q)·q·(yᵢ − yⱼ)
//
// Steps, rates, gains and beginning are those of scikit-learn's method="exact".
#pragma once
#include <string_view>

#include "engine/lenses/vectors.h"
#include "engine/run/passes.h"

namespace loupe {

struct TsneOptions {
  double perplexity = 30;
  int64_t steps = 1000;
  double exaggeration = 12;   // of P, in the first steps
  int64_t exaggerated = 250;  // so many of them; momentum .5, afterwards .8
  double rate = 0;            // 0: max(N / exaggeration / 4, 50)
  bool from_noise =
      false;          // begins with normal numbers of deviation 1e-4; else with the principal components,
                      // scaled so that the first has that deviation
  uint64_t seed = 1;  // of the noise
};

struct Tsne {
  Tensor map;             // (N, 2), f64
  double divergence = 0;  // KL(P‖Q) at the end
};

/// Bytes of the affinities of n points: float32, of each pair once.
int64_t tsne_bytes(int64_t n);

/// The map of x (N, D), float32, by Euclidean distances (of unit_rows() by cosine). Time grows with steps·N², and
/// memory with N² (tsne_bytes). The same bits for any number of threads. Throws UsageError unless 1 ≤ perplexity < N
/// − 1.
Tsne tsne(const Tensor& x, const TsneOptions& options = {}, const Progress& progress = {});

}  // namespace loupe
