// Operations of a warp: 32 lanes that exchange registers. `mask` names the lanes that take part; every named
// lane must come, and a value taken from a lane that is not named is undefined.
#pragma once
#include "kernels/device/target.h"

#if !defined(__CUDACC__)
#include <cstring>

#include "kernels/sim/block.h"
#endif

namespace loupe::LOUPE_TARGET {

/// A thread's number in its block, x fastest, as warps count them.
LOUPE_DEVICE int thread_number() {
  return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}
LOUPE_DEVICE int lane_id() { return thread_number() % kWarp; }
LOUPE_DEVICE int warp_id() { return thread_number() / kWarp; }

#if defined(__CUDACC__)

/// The named lanes wait for each other; what each wrote before, all read after.
LOUPE_DEVICE void sync_warp(uint32_t mask = kAllLanes) { __syncwarp(mask); }
/// The value of lane `lane`.
template <typename T>
LOUPE_DEVICE T shuffle(T value, int lane, uint32_t mask = kAllLanes) {
  return __shfl_sync(mask, value, lane);
}
/// The value of the lane whose number is mine XOR `bits`.
template <typename T>
LOUPE_DEVICE T shuffle_xor(T value, int bits, uint32_t mask = kAllLanes) {
  return __shfl_xor_sync(mask, value, bits);
}
/// The value of the lane `delta` above me; mine where there is none.
template <typename T>
LOUPE_DEVICE T shuffle_down(T value, int delta, uint32_t mask = kAllLanes) {
  return __shfl_down_sync(mask, value, static_cast<unsigned>(delta));
}
/// The value of the lane `delta` below me; mine where there is none.
template <typename T>
LOUPE_DEVICE T shuffle_up(T value, int delta, uint32_t mask = kAllLanes) {
  return __shfl_up_sync(mask, value, static_cast<unsigned>(delta));
}
/// Bit i: lane i's predicate.
LOUPE_DEVICE uint32_t ballot(bool predicate, uint32_t mask = kAllLanes) {
  return __ballot_sync(mask, predicate);
}
LOUPE_DEVICE bool any(bool predicate, uint32_t mask = kAllLanes) { return __any_sync(mask, predicate) != 0; }
LOUPE_DEVICE bool all(bool predicate, uint32_t mask = kAllLanes) { return __all_sync(mask, predicate) != 0; }

#else

LOUPE_DEVICE void sync_warp(uint32_t mask = kAllLanes) { warp_barrier(mask); }

/// Every lane gets the value of lane `source`. As all of a collective's operands, `mine` stays on the lane's
/// own stack while it waits, and the last lane to come works on all of them.
template <typename T>
LOUPE_DEVICE T exchange(const char* what, T value, int source, uint32_t mask) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  struct Operand {
    T value, result;
    int source;
  } mine{value, value, source};
  warp_collective(what, mask, &mine, [](void* const* lanes, uint32_t named) {
    for (int i = 0; i < kWarp; ++i) {
      if (!(named >> i & 1)) continue;
      Operand& me = *static_cast<Operand*>(lanes[i]);
      if (named >> me.source & 1)
        me.result = static_cast<Operand*>(lanes[me.source])->value;
      else
        std::memset(&me.result, 0xff, sizeof(T));  // undefined on a GPU: NaN here
    }
  });
  return mine.result;
}

template <typename T>
LOUPE_DEVICE T shuffle(T value, int lane, uint32_t mask = kAllLanes) {
  return exchange("shuffle", value, lane & 31, mask);
}
template <typename T>
LOUPE_DEVICE T shuffle_xor(T value, int bits, uint32_t mask = kAllLanes) {
  return exchange("shuffle_xor", value, (lane_id() ^ bits) & 31, mask);
}
template <typename T>
LOUPE_DEVICE T shuffle_down(T value, int delta, uint32_t mask = kAllLanes) {
  const int me = lane_id();
  return exchange("shuffle_down", value, me + delta < kWarp ? me + delta : me, mask);
}
template <typename T>
LOUPE_DEVICE T shuffle_up(T value, int delta, uint32_t mask = kAllLanes) {
  const int me = lane_id();
  return exchange("shuffle_up", value, me >= delta ? me - delta : me, mask);
}

LOUPE_DEVICE uint32_t vote(const char* what, bool predicate, uint32_t mask) {
  struct Operand {
    uint32_t predicate, result;
  } mine{predicate, 0};
  warp_collective(what, mask, &mine, [](void* const* lanes, uint32_t named) {
    uint32_t bits = 0;
    for (int i = 0; i < kWarp; ++i)
      if (named >> i & 1) bits |= static_cast<Operand*>(lanes[i])->predicate << i;
    for (int i = 0; i < kWarp; ++i)
      if (named >> i & 1) static_cast<Operand*>(lanes[i])->result = bits;
  });
  return mine.result;
}
LOUPE_DEVICE uint32_t ballot(bool predicate, uint32_t mask = kAllLanes) {
  return vote("ballot", predicate, mask);
}
LOUPE_DEVICE bool any(bool predicate, uint32_t mask = kAllLanes) { return vote("any", predicate, mask) != 0; }
LOUPE_DEVICE bool all(bool predicate, uint32_t mask = kAllLanes) {
  return vote("all", predicate, mask) == mask;
}

#endif

/// The sum of all 32 lanes, in every lane. The order of additions is fixed: a butterfly.
template <typename T>
LOUPE_DEVICE T warp_sum(T value) {
  LOUPE_UNROLL
  for (int bits = kWarp / 2; bits > 0; bits /= 2) value += shuffle_xor(value, bits);
  return value;
}
/// The largest of all 32 lanes, in every lane. NaN wins.
LOUPE_DEVICE float warp_max(float value) {
  LOUPE_UNROLL
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const float other = shuffle_xor(value, bits);
    value = other > value || other != other ? other : value;
  }
  return value;
}

}  // namespace loupe::LOUPE_TARGET
