// Last attention: which patches the class token looks at in the last layer.
#pragma once
#include "engine/methods/attention_rollout.h"
#include "engine/run/passes.h"

namespace loupe {

/// (N, heads, h, w): the class token's row, over the patches, of each head's pattern in the last attention layer.
/// In the device's type. It looks at no class. Caron et al. 2021, "Emerging properties in self-supervised vision
/// transformers". Throws UsageError for a network whose attention it cannot follow (attention_layers).
Tensor last_attention_heads(Network& net, const Tensor& x);

}  // namespace loupe
