// Atomics on integers, in shared or global memory; relaxed, as CUDA's are. There are none on floats: their
// order, and so their sum, would differ from run to run.
#pragma once
#include "kernels/device/target.h"

#if !defined(__CUDACC__)
#include "kernels/sim/block.h"
#endif

namespace loupe::LOUPE_TARGET {

#if defined(__CUDACC__)

/// Each returns what was there before.
LOUPE_DEVICE int atomic_add(int* p, int value) { return atomicAdd(p, value); }
LOUPE_DEVICE unsigned atomic_add(unsigned* p, unsigned value) { return atomicAdd(p, value); }
LOUPE_DEVICE int atomic_max(int* p, int value) { return atomicMax(p, value); }
LOUPE_DEVICE unsigned atomic_or(unsigned* p, unsigned value) { return atomicOr(p, value); }
LOUPE_DEVICE int atomic_exchange(int* p, int value) { return atomicExch(p, value); }
/// Writes `value` where `expected` is.
LOUPE_DEVICE int atomic_compare_exchange(int* p, int expected, int value) {
  return atomicCAS(p, expected, value);
}

#else

LOUPE_DEVICE int atomic_add(int* p, int value) {
  return static_cast<int>(atomic_word(p, Atomic::add, static_cast<uint32_t>(value)));
}
LOUPE_DEVICE unsigned atomic_add(unsigned* p, unsigned value) { return atomic_word(p, Atomic::add, value); }
LOUPE_DEVICE int atomic_max(int* p, int value) {
  return static_cast<int>(atomic_word(p, Atomic::max, static_cast<uint32_t>(value)));
}
LOUPE_DEVICE unsigned atomic_or(unsigned* p, unsigned value) { return atomic_word(p, Atomic::bit_or, value); }
LOUPE_DEVICE int atomic_exchange(int* p, int value) {
  return static_cast<int>(atomic_word(p, Atomic::exchange, static_cast<uint32_t>(value)));
}
LOUPE_DEVICE int atomic_compare_exchange(int* p, int expected, int value) {
  return static_cast<int>(atomic_word(p, Atomic::compare_exchange, static_cast<uint32_t>(value),
                                      static_cast<uint32_t>(expected)));
}

#endif

}  // namespace loupe::LOUPE_TARGET
