// Integrated gradients: gradients along the way from a baseline.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/run/passes.h"

namespace loupe {

struct IntegratedGradientsOptions {
  Target target = top1;
  int64_t steps = 50;    // points of the Gauss–Legendre rule
  Tensor baseline = {};  // like x, or (1, 3, H, W) for all images; none: zero, which is the mean colour
  Probe probe = {};      // row n·steps + k is step k of image n
  Progress progress = {};
};

struct IntegratedGradientsResult {
  Tensor attribution;                           // (N, 3, H, W)
  std::vector<double> scores, baseline_scores;  // F(x) and F(baseline), one an image
  std::vector<double> residuals;  // Σ attribution − (F(x) − F(baseline)): 0 for an exact integral
};

/// (x − b)·∫₀¹ ∇F(b + α(x − b)) dα, by Gauss–Legendre quadrature summed in double. Sundararajan, Taly & Yan
/// 2017, "Axiomatic attribution for deep networks".
IntegratedGradientsResult integrated_gradients(Network& net, const Tensor& x,
                                               const IntegratedGradientsOptions& options = {});

}  // namespace loupe
