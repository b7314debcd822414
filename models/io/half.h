// Floats of 16 bits, as files have them, and their value as float32, which holds every one exactly.
#pragma once
#include <bit>
#include <cstdint>

namespace loupe {

/// bfloat16: the upper half of a float32.
inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// IEEE half precision. The 15 bits below the sign, shifted to float's place, make the value times 2^-112 (subnormals
/// too, exactly). Infinity and NaN have every exponent bit set, which the product does not: they get it directly.
inline float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7FFF) << 13;
  const bool finite = (bits & 0x7C00) != 0x7C00;
  const uint32_t value =
      finite ? std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f) : magnitude | 0x7F800000;
  return std::bit_cast<float>(value | sign);
}

}  // namespace loupe
