#include "models/io/gguf_blocks.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "models/io/half.h"

namespace loupe::gguf {
namespace {

uint8_t byte_at(const std::byte* from, int i) { return static_cast<uint8_t>(from[i]); }
int8_t signed_at(const std::byte* from, int i) { return static_cast<int8_t>(from[i]); }
template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
float half_at(const std::byte* from) { return from_f16(load<uint16_t>(from)); }

// 32 numbers of 4 bits, and a fifth where there is one: number i of the low halves, number i + 16 of the high ones.
template <typename Number>
void nibbles(const std::byte* low, uint32_t fifth, float* to, const Number& number) {
  for (int i = 0; i < 16; ++i) {
    to[i] = number((byte_at(low, i) & 15) | static_cast<int>(fifth >> i & 1) << 4);
    to[i + 16] = number(byte_at(low, i) >> 4 | static_cast<int>(fifth >> (i + 16) & 1) << 4);
  }
}

void q4_0(const std::byte* b, float* to) {
  const float d = half_at(b);
  nibbles(b + 2, 0, to, [=](int q) { return static_cast<float>(q - 8) * d; });
}
void q4_1(const std::byte* b, float* to) {
  const float d = half_at(b), m = half_at(b + 2);
  nibbles(b + 4, 0, to, [=](int q) { return static_cast<float>(q) * d + m; });
}
void q5_0(const std::byte* b, float* to) {
  const float d = half_at(b);
  nibbles(b + 6, load<uint32_t>(b + 2), to, [=](int q) { return static_cast<float>(q - 16) * d; });
}
void q5_1(const std::byte* b, float* to) {
  const float d = half_at(b), m = half_at(b + 2);
  nibbles(b + 8, load<uint32_t>(b + 4), to, [=](int q) { return static_cast<float>(q) * d + m; });
}
void q8_0(const std::byte* b, float* to) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(signed_at(b, 2 + i)) * d;
}

// Scale and minimum of part j of 8: 6 bits each, in 12 bytes. Those of the last four parts are in two pieces.
struct PartScale {
  int scale, minimum;
};
PartScale part_scale(const std::byte* s, int j) {
  if (j < 4) return {byte_at(s, j) & 63, byte_at(s, j + 4) & 63};
  return {(byte_at(s, j + 4) & 15) | (byte_at(s, j - 4) >> 6) << 4,
          byte_at(s, j + 4) >> 4 | (byte_at(s, j) >> 6) << 4};
}

// `fifth`: 32 bytes, bit j of byte i is of number i of part j; or null.
void parts_of_32(const std::byte* b, const std::byte* fifth, const std::byte* low, float* to) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int j = 0; j < 8; ++j) {
    const auto [scale, minimum] = part_scale(b + 4, j);
    const float ds = d * static_cast<float>(scale), mt = m * static_cast<float>(minimum);
    const std::byte* from = low + j / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int bits = j % 2 ? byte_at(from, i) >> 4 : byte_at(from, i) & 15;
      const int q = bits | (fifth ? (byte_at(fifth, i) >> j & 1) << 4 : 0);
      to[j * 32 + i] = ds * static_cast<float>(q) - mt;
    }
  }
}
void q4_k(const std::byte* b, float* to) { parts_of_32(b, nullptr, b + 16, to); }
void q5_k(const std::byte* b, float* to) { parts_of_32(b, b + 16, b + 48, to); }

void q6_k(const std::byte* b, float* to) {
  const float d = half_at(b + 208);
  for (int part = 0; part < 16; ++part) {  // of 16 numbers
    const float ds = d * static_cast<float>(signed_at(b, 192 + part));
    // A half of 128 numbers has 64 bytes of low bits and 32 of high ones: four runs of 32 numbers share each byte.
    const int half = part / 8, run = part % 8 / 2, begin = part % 2 * 16;
    const std::byte *low = b + half * 64 + run % 2 * 32 + begin, *high = b + 128 + half * 32 + begin;
    for (int i = 0; i < 16; ++i) {
      const int bits = run < 2 ? byte_at(low, i) & 15 : byte_at(low, i) >> 4;
      const int q = (bits | (byte_at(high, i) >> (2 * run) & 3) << 4) - 32;
      to[part * 16 + i] = ds * static_cast<float>(q);
    }
  }
}

constexpr BlockType kTypes[] = {
    {0, "F32", 1, 4},
    {1, "F16", 1, 2},
    {2, "Q4_0", 32, 18, q4_0},
    {3, "Q4_1", 32, 20, q4_1},
    {6, "Q5_0", 32, 22, q5_0},
    {7, "Q5_1", 32, 24, q5_1},
    {8, "Q8_0", 32, 34, q8_0},
    {9, "Q8_1", 0, 0},
    {10, "Q2_K", 0, 0},
    {11, "Q3_K", 0, 0},
    {12, "Q4_K", 256, 144, q4_k},
    {13, "Q5_K", 256, 176, q5_k},
    {14, "Q6_K", 256, 210, q6_k},
    {15, "Q8_K", 0, 0},
    {16, "IQ2_XXS", 0, 0},
    {17, "IQ2_XS", 0, 0},
    {18, "IQ3_XXS", 0, 0},
    {19, "IQ1_S", 0, 0},
    {20, "IQ4_NL", 0, 0},
    {21, "IQ3_S", 0, 0},
    {22, "IQ2_S", 0, 0},
    {23, "IQ4_XS", 0, 0},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 0, 0},
    {30, "BF16", 1, 2},
    {34, "TQ1_0", 0, 0},
    {35, "TQ2_0", 0, 0},
    {39, "MXFP4", 0, 0},
};

}  // namespace

const BlockType* find_block_type(uint32_t id) {
  const auto* found = std::ranges::find(kTypes, id, &BlockType::id);
  return found == std::end(kTypes) ? nullptr : found;
}

}  // namespace loupe::gguf
