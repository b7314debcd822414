// Sums over a channel: all images and pixels of it, by one block of threads. As many threads work on one
// image as a map has vectors, and what they find is added in a fixed order.
#pragma once
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

inline constexpr int kChannelThreads = 256;

/// Threads that work on one image of `vectors`: a power of two.
inline int team_for(int64_t vectors) {
  int team = 1;
  while (team < kChannelThreads && team < vectors) team *= 2;
  return team;
}

/// The sum of the block's values, in every thread. May be called again.
LOUPE_DEVICE float block_sum(float value) {
  struct Parts {
    float of_warp[kChannelThreads / kWarp];
  };
  auto& part = shared_storage<Parts>().of_warp;
  value = warp_sum(value);
  sync_threads();  // nobody reads the sums before these any more
  if (lane_id() == 0) part[warp_id()] = value;
  sync_threads();
  value = 0;
  for (int i = 0; i < kChannelThreads / kWarp; ++i) value += part[i];
  return value;
}

/// Σ over channel blockIdx.x of an array (n, c, pixels): term(total, i) adds the Width elements from i on to
/// a thread's own sum.
template <int Width, typename Term>
LOUPE_DEVICE float channel_sum(int64_t n, int64_t c, int pixels, int team, const Term& term) {
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int64_t b = t / team; b < n; b += kChannelThreads / team)
    for (int p = t % team * Width; p < pixels; p += team * Width)
      term(sum, (b * c + blockIdx.x) * pixels + p);
  return block_sum(sum);
}

}  // namespace loupe::LOUPE_TARGET
