// Gradient × attention relevance: how much of each patch the class token holds at the end, for the class.
#pragma once
#include "engine/methods/attention_rollout.h"
#include "engine/run/passes.h"

namespace loupe {

/// (N, h, w): the class token's row, over the patches, of
///
///   R = (I + C_L) · … · (I + C_1),   C_l = mean over heads of max(0, A_l ∘ ∂f/∂A_l),
///
/// where A_l (N, heads, tokens, tokens) is the pattern of attention layer l, counted from the input, and f the target.
/// Of a head with output y = A v, ∂f/∂A = ∂f/∂y vᵀ. In the device's type, summed in double. Chefer, Gur & Wolf 2021,
/// "Generic attention-model explainability", eq. 5 and 6, for an encoder. Throws UsageError for a network whose
/// attention it cannot follow (attention_layers).
Tensor attention_relevance(Network& net, const Tensor& x, const Target& target = top1);

}  // namespace loupe
