// What a transformer of tokens is made of, whatever file said so.
#pragma once
#include <cstdint>
#include <string>

namespace loupe {

struct TextConfig {
  std::string family;  // "llama": the file models/text/<family>.text.cpp
  int64_t layers = 0;
  int64_t width = 0;                     // of the residual stream
  int64_t heads = 1, kv_heads = 1;       // of queries; of keys and values, a divisor of it
  int64_t head_width = 0;                // of a query, key or value
  int64_t hidden = 0;                    // in the middle of an MLP; 0: there are none
  int64_t vocabulary = 0;                // tokens
  int64_t positions = 0;                 // the longest sequence
  int64_t types = 0;                     // of tokens (BERT's segments); 0: they have none
  double eps = 1e-5;                     // of the norms
  double rotary_base = 10000;            // rotary positions
  int64_t rotary_width = 0;              // of a head's channels; 0: no rotary positions
  bool rotary_interleaved = false;       // kernels/rotary
  std::string activation = "gelu_tanh";  // of the MLP: a function of kernels/elementwise/functions
  bool tied = true;                      // the head's weight is the table of tokens

  int64_t group() const { return heads / kv_heads; }  // heads that share a key
  friend bool operator==(const TextConfig&, const TextConfig&) = default;
};

}  // namespace loupe
