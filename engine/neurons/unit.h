// Unit: a scalar of a layer's value that is more than one of its channels: what ascents make strong beside Target's own.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/run/target.h"

namespace loupe {

/// Of a node's value of that shape, (1, …): half the mean square of all of its numbers, which deep dreams make large
/// (Mordvintsev et al. 2015, "Inceptionism: Going Deeper into Neural Networks").
Target layer_unit(NodeId node, const Shape& shape);

/// Half the mean square of what head `head` of `heads` writes into an attention layer's result (1, L, heads·d). Throws
/// UsageError for a head that there is not.
Target head_unit(NodeId node, const Shape& shape, int64_t head, int64_t heads);

/// Number c of token t, of tokens (1, L, D). Throws UsageError for what there is not.
Target token_unit(NodeId node, const Shape& shape, int64_t c, int64_t t);

/// Σ_c direction(c)·a(c), the mean over places of maps (1, C, H, W) or tokens (1, L, C), or of a row (1, C): a direction
/// in a layer's space (Kim et al. 2018, "Interpretability Beyond Feature Attribution: Quantitative Testing with Concept
/// Activation Vectors"). Throws UsageError for another number of channels.
Target direction_unit(NodeId node, const Shape& shape, std::vector<double> direction);

}  // namespace loupe
