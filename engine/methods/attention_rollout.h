// Attention rollout: how much of each patch's token may have flowed, layer by layer, into the class token.
#pragma once
#include <string>
#include <vector>

#include "engine/methods/token_grid.h"
#include "engine/run/passes.h"

namespace loupe {

/// (N, h, w): the class token's row, over the patches, of
///
///   R = Ã_L · … · Ã_1,   Ã_l = the rows of (mean over heads of A_l) + I, each divided by its sum,
///
/// where A_l (N, heads, tokens, tokens) is the pattern of attention layer l, counted from the input, and I
/// stands for the way around it. In the device's type, summed in double. It looks at no class: every class
/// has the same map. Throws UsageError for a network whose attention it cannot follow (see
/// attention_layers). Abnar & Zuidema 2020, "Quantifying attention flow in transformers", section 3.
Tensor attention_rollout(Network& net, const Tensor& x);

/// The attention of a network on inputs of a shape, from the input on, and the places of its tokens.
struct AttentionLayers {
  std::vector<NodeId> layers = {};
  TokenGrid tokens = {};
  std::string missing = {};  // why rollout does not suit, or empty
};
AttentionLayers attention_layers(const Graph& graph, const Shape& input);

}  // namespace loupe
