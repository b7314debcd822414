// Blocks of GGUF's tensors: how each type keeps its numbers, and what they are as float32, the same numbers that ggml
// computes.
//
//   Q4_0  32 numbers in 18 bytes: a half d, then 4 bits each                    x = d · (q − 8)
//   Q4_1  32 in 20: halves d and m, then 4 bits each                            x = d · q + m
//   Q5_0  32 in 22: half d, 32 fifth bits, then 4 bits each                     x = d · (q − 16)
//   Q5_1  32 in 24: halves d and m, 32 fifth bits, then 4 bits each             x = d · q + m
//   Q8_0  32 in 34: half d, then 8 bits each, signed                            x = d · q
//   Q4_K  256 in 144: halves d and m, 6-bit scales s and minima t of 8 parts    x = (d · s) · q − m · t
//   Q5_K  256 in 176: the same with 256 fifth bits
//   Q6_K  256 in 210: low 4 and high 2 bits, 8-bit scales s of 16 parts, half d x = (d · s) · (q − 32)
//
// Of the low 4 bits a byte has two: of number i and of number i + 16 (of Q4_K and Q5_K i + 32, of Q6_K i + 64).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace loupe::gguf {

struct BlockType {
  uint32_t id;  // as the file has it
  std::string_view name;
  int64_t numbers, bytes;  // of a block; 0 numbers: a type that is known by its name alone
  /// Writes a block's numbers; null where they lie as a Tensor's, or as stored_tensor() reads them.
  void (*read)(const std::byte* block, float* to) = nullptr;
};

/// nullptr for an id that GGUF has not.
const BlockType* find_block_type(uint32_t id);

}  // namespace loupe::gguf
