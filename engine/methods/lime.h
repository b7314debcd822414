// LIME: a linear model of the score near the image, in terms of which segments are there.
#pragma once
#include "engine/methods/segments.h"
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

struct LimeOptions {
  Target target = top1;
  int64_t samples = 256;  // coalitions, at least 1
  double kernel_width = 0.25;
  double ridge = 1;  // the penalty's factor, above 0
  Draws draws = Draws();
  Tensor baseline = {};  // what a segment that is away shows, (1, 3, H, W) or like x; undefined: zeros
  Progress progress = {};
};

struct LimeResult {
  Tensor attribution;             // β: (N, rows, columns) of a grid, else (N, H, W)
  Tensor value;                   // (N, samples): f(z_s)
  Tensor intercept;               // (N): b0
  std::vector<double> explained;  // of each image, the weighted R² of the linear model
};

/// Ribeiro, Singh & Guestrin 2016, "Why should I trust you?", with the lime package's kernel and regression: the β and
/// b0 that minimise Σ_s w_s (f(z_s) − b0 − z_s·β)² + ridge·‖β‖², z_sj = 1 where u("lime.member", n s + j) < 0.5,
/// w_s = √exp(−(d/kernel_width)²), d = 1 − √(|z_s|/n): the cosine distance from the whole image. f is the target's
/// scalar, of a class its logit. Throws UsageError for options out of range, and more segments than a regression takes.
LimeResult lime(Network& net, const Tensor& x, const Segments& segments, const LimeOptions& options = {});

}  // namespace loupe
