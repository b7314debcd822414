// The nodes of a text network by name. They are the same in every family, so that lenses, edits and circuits need to
// know no family. x (N, L, …): N sequences of L tokens.
//
//   ids                         input, i32 (N, L)
//   types, padding              inputs of BERT: i32 (N, L) and u8 (N, L), 0 for tokens that nobody sees
//   embedding.tokens            rows of the table of tokens (N, L, width)
//   embedding.types             BERT: rows of the table of types
//   embedding.positions         rows of the table of positions, where there is one
//   embedding.places, .sum, .norm   what is made of them; Graph::find("embedding") is what enters block 0
//   blocks.3.attention.norm     what queries, keys and values are made of, where a norm comes before them
//   blocks.3.attention.placed   attention_only: with the position added, which queries and keys see
//   blocks.3.attention.query    (N, L, heads · head_width); .key, .value (N, L, kv_heads · head_width)
//   blocks.3.attention.query.turned, .key.turned      llama: with rotary positions; these the attention reads
//   blocks.3.attention          output 0: what the heads read, side by side (N, L, heads · head_width): Cells::head()
//                               output 1: the pattern (N, heads, L, L), computed where it is asked for
//   blocks.3.attention.output   the heads' sum in the stream (N, L, width)
//   blocks.3.attention.sum      BERT: with the stream, before the norm
//   blocks.3.middle             the stream after the attention (not in attention_only)
//   blocks.3.mlp.norm           where a norm comes before the MLP
//   blocks.3.mlp.gate           llama; .up: (N, L, hidden)
//   blocks.3.mlp.activation     of .gate or, without a gate, of .up
//   blocks.3.mlp.product        llama: activation · up
//   blocks.3.mlp.output         (N, L, width);  blocks.3.mlp.sum  BERT: with the stream, before the norm
//   blocks.3.output             the stream after the block
//   norm                        of the stream's end, where there is one
//   logits                      (N, L, vocabulary); BERT has none, its result is the last block's output
//
// Parameters have the node's name and ".weight" or ".bias", with (outputs, inputs) of every product, so
// "blocks.3.attention.query.weight" is (heads · head_width, width) in every family and from every file. The table of
// tokens is "embedding.tokens.weight"; it is the head's weight, too, where TextConfig::tied, else "logits.weight" is.
// BERT's norms: "embedding.norm", "blocks.3.attention.norm" (made by the node blocks.3.middle) and "blocks.3.mlp.norm"
// (by blocks.3.output).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace loupe {

/// "blocks.3.attention.query" of (3, "attention.query").
inline std::string block_node(int64_t layer, std::string_view part) {
  return "blocks." + std::to_string(layer) + "." + std::string(part);
}

}  // namespace loupe
