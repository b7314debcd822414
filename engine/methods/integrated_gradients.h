// Integrated gradients: gradients along the way from a baseline.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/methods/path_integral.h"
#include "engine/run/passes.h"

namespace loupe {

struct IntegratedGradientsOptions {
  Target target = top1;  // top1: the class of the image itself, all the way
  int64_t steps = 50;    // of the rule; gauss_legendre: points
  Tensor baseline = {};  // like x, or (1, 3, H, W) for all images; none: zero, which is the mean colour
  Probe probe = {};      // row n·points + k is point k of image n
  Progress progress = {};
  std::string rule = "gauss_legendre";  // see PathOptions
  double tolerance = 0.001;
  int64_t max_steps = 1000;

  PathOptions path() const { return {rule, steps, tolerance, max_steps}; }
};

struct IntegratedGradientsResult {
  Tensor attribution;                           // (N, 3, H, W)
  std::vector<double> scores, baseline_scores;  // F(x) and F(baseline), one an image
  std::vector<double> residuals;  // Σ attribution − (F(x) − F(baseline)): 0 for an exact integral
  std::vector<double> interval_residuals;  // of rule adaptive, one an image
  std::vector<int64_t> gradients;          // ways back, one an image
  bool met = true;                         // the tolerance of rule adaptive
};

/// (x − b)·∫₀¹ ∇F(b + α(x − b)) dα, summed in double, in memory that does not grow with the steps. Sundararajan, Taly &
/// Yan 2017, "Axiomatic attribution for deep networks".
IntegratedGradientsResult integrated_gradients(Network& net, const Tensor& x,
                                               const IntegratedGradientsOptions& options = {});

}  // namespace loupe
