// Shared memory, as a struct that the kernel names, and the barrier that goes with it.
//
//   struct Tile { float x[32][33]; };
//   Tile& tile = shared_storage<Tile>();
//
// The simulator fills it with NaN before each block and knows which bytes were written.
#pragma once
#include "kernels/device/target.h"

#if !defined(__CUDACC__)
#include "kernels/sim/block.h"
#endif

namespace loupe::LOUPE_TARGET {

#if defined(__CUDACC__)

/// Static shared memory, at most 48 KiB. One instance for each type in a kernel.
template <typename T>
LOUPE_DEVICE T& shared_storage() {
  __shared__ __align__(alignof(T) > 16 ? alignof(T) : 16) unsigned char bytes[sizeof(T)];
  return *reinterpret_cast<T*>(bytes);
}

/// Dynamic shared memory: Launch::dynamic_shared bytes, as elements of T.
template <typename T>
LOUPE_DEVICE T* dynamic_shared_storage() {
  extern __shared__ __align__(128) unsigned char loupe_dynamic_shared[];
  return reinterpret_cast<T*>(loupe_dynamic_shared);
}

/// All threads of the block wait for each other; what each wrote before, all read after.
LOUPE_DEVICE void sync_threads() { __syncthreads(); }

#else

template <typename T>
LOUPE_DEVICE T& shared_storage() {
  static const char type_tag = 0;  // one address for each T
  return *static_cast<T*>(static_shared(&type_tag, sizeof(T), alignof(T) > 16 ? alignof(T) : 16));
}

template <typename T>
LOUPE_DEVICE T* dynamic_shared_storage() {
  return static_cast<T*>(dynamic_shared());
}

LOUPE_DEVICE void sync_threads() { block_barrier(); }

#endif

}  // namespace loupe::LOUPE_TARGET
