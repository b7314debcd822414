// Random numbers that are a function of a key alone: the same on every machine, in any order of asking.
#pragma once
#include <cstdint>

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

}  // namespace loupe
