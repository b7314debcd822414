// KernelSHAP: Shapley values of segments by a linear regression over coalitions.
#pragma once
#include "engine/methods/segments.h"
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

struct KernelShapOptions {
  Target target = top1;
  int64_t samples = 256;  // coalitions that are drawn, at least 1
  /// Rather all 2^n − 2 of n segments, once each, weighted by the kernel: the Shapley values themselves. n ≤ 16.
  bool all_coalitions = false;
  Draws draws = Draws();
  Tensor baseline = {};  // what a segment that is away shows, (1, 3, H, W) or like x; undefined: zeros
  Progress progress = {};
};

struct KernelShapResult {
  Tensor attribution;             // φ: (N, rows, columns) of a grid, else (N, H, W)
  Tensor value;                   // (N, coalitions): f(z_s)
  std::vector<double> explained;  // of each image, how much of the f(z_s) a sum of shares explains: R²
  bool unique = true;             // whether there were coalitions enough to settle the shares
};

/// Lundberg & Lee 2017, A unified approach to interpreting model predictions, theorem 2. The φ that minimise
/// Σ_s (f(z_s) − f(z = 0) − z_s·φ)² subject to Σ φ = f(x) − f(z = 0), z_s which segments are there. Coalition sizes k
/// are drawn by the kernel, p(k) ∝ 1/(k(n − k)), the members evenly, so that all weights are 1:
/// k_s = the first k of 1 … n − 1 with p(1) + … + p(k) > u("kernel_shap.size", s); the members are those with the k_s
/// smallest u("kernel_shap.member.<s>", j). Throws UsageError for fewer than 2 segments, and more than a regression takes.
KernelShapResult kernel_shap(Network& net, const Tensor& x, const Segments& segments,
                             const KernelShapOptions& options = {});

}  // namespace loupe
