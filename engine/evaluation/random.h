// Random numbers that are a function of a key alone: the same on every machine, in any order of asking.
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>

namespace loupe {

/// splitmix64: a bijection of 64 bits that looks like noise (Steele, Lea & Flood 2014, "Fast splittable
/// pseudorandom number generators").
constexpr uint64_t scrambled(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}
constexpr uint64_t scrambled(uint64_t seed, uint64_t i) { return scrambled(scrambled(seed) + i); }

/// In [0, 1).
inline double uniform(uint64_t seed, uint64_t i) {
  return static_cast<double>(static_cast<int64_t>(scrambled(seed, i) >> 11)) * 0x1p-53;
}

/// Of the normal distribution with mean 0 and deviation 1 (Box & Muller 1958).
inline double normal(uint64_t seed, uint64_t i) {
  const double radius = std::sqrt(-2 * std::log1p(-uniform(seed, 2 * i)));
  return radius * std::cos(2 * std::numbers::pi * uniform(seed, 2 * i + 1));
}

}  // namespace loupe
