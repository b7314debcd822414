// Principal components: the directions in which points spread most (Pearson 1901; Hotelling 1933).
#pragma once
#include <vector>

#include "engine/lenses/vectors.h"

namespace loupe {

struct Pca {
  std::vector<double> mean;    // (D)
  Tensor axes;                 // (c, D), f64: orthonormal, that of the greatest variance first
  std::vector<double> spread;  // (c): the variances along them, Σ score² / (N − 1)
  double total = 0;            // the variances along all axes, added up
  Tensor scores;               // (N, c), f64: where the points lie on them
};

/// The first `count` components of x (N, D), float32; exact, by the eigenvectors of the covariance, or of the points'
/// products where there are fewer points than dimensions, in double. Of an axis the number of the greatest magnitude is
/// positive, the first of equal ones. Beyond the rank of the points axes, variances and scores are 0. The same bits for
/// any number of threads. Throws UsageError for fewer than two points, or count < 1.
Pca pca(const Tensor& x, int64_t count);

}  // namespace loupe
