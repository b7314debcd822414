// Shapley value sampling: what a segment adds to those before it, over random orders.
#pragma once
#include "engine/methods/segments.h"
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

struct ShapleyOptions {
  Target target = top1;
  int64_t samples = 25;     // orders, at least 1
  bool antithetic = false;  // every second order is the one before it, reversed; `samples` is then even
  Draws draws = Draws();
  Tensor baseline = {};  // what a segment that is away shows, (1, 3, H, W) or like x; undefined: zeros
  Progress progress = {};
};

struct ShapleyResult {
  Tensor attribution;  // φ: (N, rows, columns) of a grid, else (N, H, W)
  /// The same shape: deviation of what was averaged (orders; pairs of them, if antithetic), over √(their number);
  /// undefined where that number is 1.
  Tensor standard_error;
  std::vector<double> residuals;  // (N): Σ φ − (f(x) − f(baseline)), 0 but for rounding
};

/// φ_j = mean over the orders of f(those before j, and j) − f(those before j). Castro, Gómez & Tejada 2009, Polynomial
/// calculation of the Shapley value based on sampling; Štrumbelj & Kononenko 2010, An efficient explanation of individual
/// classifications using game theory. Order s sorts the segments by u("shapley_value_sampling.order.<s>", j). An order
/// of n segments takes n − 1 forward passes: the first and the last of its prefixes serve them all.
ShapleyResult shapley_value_sampling(Network& net, const Tensor& x, const Segments& segments,
                                     const ShapleyOptions& options = {});

}  // namespace loupe
