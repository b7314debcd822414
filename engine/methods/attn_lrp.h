// AttnLRP: layer-wise relevance propagation through attention.
#pragma once
#include <optional>
#include <string>

#include "engine/run/image_model.h"
#include "engine/run/passes.h"

namespace loupe {

struct AttnLrpOptions {
  Target target = top1;
  std::string rule = "epsilon";  // of layers with weights, as LrpOptions::rule
  double epsilon = 1e-6, gamma = 0.25;
};

/// Relevance of the input, like x (N, 3, H, W), in the device's type, from the target's value at the result
/// down, with LRP's rows (lrp.h) and for transformers those of Achtibat et al. 2024, "AttnLRP: attention-aware
/// layer-wise relevance propagation for transformers":
///
///   softmax       R_i = x_i (R_i − y_i Σ_j R_j)                                       Proposition 3.1
///   products      y = a b: R_a = a ∂y/∂a (R / (2 stab(y))), R_b alike: half to each   Proposition 3.3
///   norms         layer, group and RMS norms pass                                     Proposition 3.4
///   functions     pass                                                                section 3.2
///
/// Attention is two products with a softmax between them, computed as one op: of its scores s = scale q·k the
/// ratio s / stab(s) is taken as 1, so that they are never made. Relevance is kept but for what biases,
/// stabilisers and softmaxes hold (the constant of their Taylor expansion), so its sum is not the score.
Tensor attn_lrp(ImageModel& model, const Tensor& x, const AttnLrpOptions& options = {});

/// Why AttnLRP does not suit a network, or nullopt.
std::optional<std::string> attn_lrp_missing(const Graph& graph);

}  // namespace loupe
