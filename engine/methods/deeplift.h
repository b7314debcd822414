// DeepLIFT: what every difference between an input and a baseline contributes to the difference of their scores.
#pragma once
#include <vector>

#include "engine/run/passes.h"

namespace loupe {

struct DeepLiftOptions {
  enum class Rule : uint8_t { rescale, reveal_cancel };
  Target target = top1;  // of the inputs; the scores of baselines are of the same class
  Rule rule = Rule::rescale;
  /// Each like x, or (1, …) for all inputs; the map is the mean over them. None: zero, which is the mean colour.
  std::vector<Tensor> baselines = {};
  Progress progress = {};
};

struct DeepLiftResult {
  Tensor attribution = {};                                // like x
  std::vector<double> scores = {}, baseline_scores = {};  // f(x), and the mean of f(baseline), one an input
  /// Σ attribution − (f(x) − mean f(baseline)): rounding alone, where the target is linear in the network's result.
  std::vector<double> residuals = {};
};

/// m·(x − b), with the multipliers m of a rule (engine/methods/deeplift_rules.h), summed in double. Shrikumar,
/// Greenside & Kundaje 2017, "Learning important features through propagating activation differences"; the mean over
/// several baselines is DeepLIFT-SHAP of Lundberg & Lee 2017, "A unified approach to interpreting model predictions",
/// section 4.2. An input's result does not depend on the others of its batch. Throws UsageError for networks with
/// layers that no rule knows (deeplift_unsuited), and for baselines of another shape.
DeepLiftResult deeplift(Network& net, const Tensor& x, const DeepLiftOptions& options = {});

}  // namespace loupe
