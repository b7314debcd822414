// Random numbers by name: each is a hash of the seed, the index of the picture and what it is for. There is
// no state, so that nothing depends on the order of the draws, the compiler or the thread, and a new draw
// leaves all others as they were. A name that is asked for twice gives the same number twice.
#pragma once
#include <cstdint>

#include "kernels/common/random.h"

namespace loupe::zoo {

/// What a number is for ("tail", "fur"), as a hash (FNV-1a).
struct Purpose {
  uint64_t hash = 0xcbf29ce484222325;
  constexpr Purpose(const char* name) {  // implicit, so that draws read well
    for (; *name; ++name) hash = (hash ^ static_cast<uint8_t>(*name)) * 0x100000001b3;
  }
};

class Random {
 public:
  constexpr explicit Random(uint64_t seed) : key_(scrambled(seed)) {}

  /// Other numbers of the same names: for the i-th spot, for the second object.
  constexpr Random of(Purpose purpose, uint64_t i = 0) const { return Random(bits(purpose) + i); }

  constexpr uint64_t bits(Purpose purpose) const { return scrambled(key_ ^ purpose.hash); }
  /// In [0, 1), a multiple of 2⁻²⁴.
  constexpr float unit(Purpose purpose) const { return static_cast<float>(bits(purpose) >> 40) * 0x1p-24f; }
  /// Evenly in [low, high).
  constexpr float operator()(Purpose purpose, float low, float high) const {
    return low + (high - low) * unit(purpose);
  }
  constexpr bool chance(Purpose purpose, float probability) const { return unit(purpose) < probability; }
  /// A whole number in [0, n).
  constexpr int below(Purpose purpose, int n) const {
    return static_cast<int>((bits(purpose) >> 32) * static_cast<uint64_t>(n) >> 32);
  }

 private:
  uint64_t key_;
};

}  // namespace loupe::zoo
