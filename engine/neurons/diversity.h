// Diversity: how unlike the pictures of a set are, by the correlations of a layer's maps (Olah et al. 2017, "Feature
// Visualization", section on diversity: the style's Gram matrices of Gatys et al.).
#pragma once
#include <vector>

#include "engine/tensor/tensor.h"

namespace loupe {

/// D = −Σ_{i<j} cos(G_i, G_j), G = F·Fᵀ (C, C) of each picture's maps F (C, places). `maps`: (n, C, H, W), f64, n ≥ 2.
/// Returns D, and writes dD/dF to `gradient`, of the same shape. A picture whose maps are all 0 is unlike all others.
/// Throws UsageError for what are no maps.
double diversity(const Tensor& maps, const Tensor& gradient);

}  // namespace loupe
