// GradientSHAP: expected gradients, by random points on the ways from a set of baselines.
#pragma once
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

struct GradientShapOptions {
  Target target = top1;  // top1: the class of the picture as it is
  int64_t samples = 16;
  std::vector<Tensor> baselines = {};  // each (1, C, H, W); none: zero alone
  Draws draws = Draws();
  double sigma = 0;  // noise on the picture, as a share of its range
  Probe probe = {};  // row n·samples + s is sample s of image n
  Progress progress = {};
};

struct GradientShapResult {
  Tensor attribution;             // (N, C, H, W)
  std::vector<double> scores;     // F of each image
  std::vector<double> expected;   // the mean of F over the baselines that were drawn
  std::vector<double> residuals;  // Σ attribution − (score − expected)
};

/// mean_s (x_s − b_s)·∇F(b_s + a_s(x_s − b_s)): Lundberg & Lee 2017, "A unified approach to interpreting model
/// predictions", as its authors' GradientExplainer computes it; Erion et al. 2021, "Improving performance of deep
/// learning models with axiomatic attribution priors and expected gradients" (eq. 4). It tends to the mean of the
/// integrated gradients from all baselines, which integrated_gradients computes of a set; each sample here is
/// one point of one of the ways, so that a few give a noisy estimate.
///
/// a_s = u(gradient_shap.alpha)_s; b_s is baseline ⌊B·u(gradient_shap.baseline)_s⌋ of B; x_s = x, or with sigma > 0
/// x + sigma·(max x − min x)·n, n normal draws of the name gradient_shap.noise.<s>. Points are rounded to float32.
/// Throws UsageError for fewer than one sample, a sigma below 0 and baselines of another shape.
GradientShapResult gradient_shap(Network& net, const Tensor& x, const GradientShapOptions& options = {});

}  // namespace loupe
