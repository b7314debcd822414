// The factors of a text model's heads, as the lenses of circuits take them (engine/lenses/circuits.h).
#pragma once
#include "engine/lenses/circuits.h"
#include "models/text/text_model.h"

namespace loupe {

/// Head h of layer l, with the norm before the layer folded in: of an RMSNorm its weight, of a LayerNorm its weight and
/// its mean, which is taken from what the factors read (TransformerLens's fold_ln). What stays outside are the norm's
/// division by the length, biases, and positions: rotary ones turn queries and keys only afterwards, others are added to
/// the stream. A norm behind the layer (BERT's) is not folded. Throws UsageError, one line, for a head that is not there.
HeadFactors head_factors(const TextModel& model, int64_t layer, int64_t head);
/// Those of all heads, layer by layer.
std::vector<HeadFactors> all_head_factors(const TextModel& model);

/// The table of tokens, (vocabulary, width) f32.
Tensor embedding_table(const TextModel& model);
/// The head's weight, the last norm folded in as above. Throws UsageError for a model without logits.
Tensor unembedding_table(const TextModel& model);

}  // namespace loupe
