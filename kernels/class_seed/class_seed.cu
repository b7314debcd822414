// A warp to a row. Each lane looks for the best of every 32nd class; then lanes compare, five times, with the
// lane 16, 8, 4, 2 and 1 further, and of equals the lower class wins, so that the order does not matter.
//
// Floor: reads 4 bytes a score and writes 4.
#include "kernels/class_seed/class_seed.h"

#include "kernels/device/export.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 4;

LOUPE_KERNEL class_seed_kernel(int64_t n, int64_t classes, const float* scores, const int32_t* wanted,
                               float* seed) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + warp_id();
  if (row >= n) return;  // a whole warp
  scores += row * classes;
  seed += row * classes;
  int64_t chosen = wanted[row];
  if (chosen < 0) {
    // NaN is never the greater one, and where class 0 has it nothing else is.
    int64_t best = 0;
    float most = scores[0];
    for (int64_t c = lane_id(); c < classes; c += kWarp)
      if (scores[c] > most) {
        best = c;
        most = scores[c];
      }
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
      const float other = shuffle_xor(most, lanes);
      const int64_t its = shuffle_xor(best, lanes);
      if (other > most || (other == most && its < best)) {
        best = its;
        most = other;
      }
    }
    chosen = best;
  }
  for (int64_t c = lane_id(); c < classes; c += kWarp) seed[c] = c == chosen ? 1.f : 0.f;
}

}  // namespace

void class_seed(Stream stream, int64_t n, int64_t classes, const float* scores, const int32_t* wanted,
                float* seed) {
  launch({.grid = {blocks_for(n, kWarps)}, .block = {kWarps * kWarp}, .stream = stream}, class_seed_kernel, n,
         classes, scores, wanted, seed);
}
LOUPE_EXPORT(class_seed);

}  // namespace loupe::LOUPE_TARGET
