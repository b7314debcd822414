// cross_entropy on a GPU: a warp takes a row, its lanes every 32nd class, and exchanges maximum and sums.
// Lanes are added up in a fixed order.
//
// Floor: 8 bytes read a class, and 4 written by a vjp. A row is read again from the L1 cache.
#include "kernels/cross_entropy/cross_entropy.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8;  // of a block, a row each

LOUPE_DEVICE int64_t row_of_warp() { return int64_t{blockIdx.x} * kWarps + warp_id(); }

// m and S of a row of logits, in every lane.
struct Exponentials {
  float max = minus_infinity(), sum = 0;
  LOUPE_DEVICE Exponentials(const float* z, int c) {
    for (int k = lane_id(); k < c; k += kWarp) max = max_nan(z[k], max);
    max = warp_max(max);
    for (int k = lane_id(); k < c; k += kWarp) sum += expf(z[k] - max);
    sum = warp_sum(sum);
  }
};

LOUPE_KERNEL cross_entropy_kernel(const float* z, const float* t, float* loss, int64_t n, int c) {
  const int64_t i = row_of_warp();
  if (i >= n) return;
  z += i * c;
  t += i * c;
  const Exponentials e(z, c);
  float total = 0, distance = 0;
  for (int k = lane_id(); k < c; k += kWarp) {
    total += t[k];
    distance += t[k] * (e.max - z[k]);
  }
  total = warp_sum(total);
  distance = warp_sum(distance);
  if (lane_id() == 0) loss[i] = distance + total * logf(e.sum);
}

LOUPE_KERNEL cross_entropy_vjp_logits_kernel(const float* z, const float* t, const float* g, float* gz,
                                             int64_t n, int c) {
  const int64_t i = row_of_warp();
  if (i >= n) return;
  z += i * c;
  t += i * c;
  gz += i * c;
  const Exponentials e(z, c);
  float total = 0;
  for (int k = lane_id(); k < c; k += kWarp) total += t[k];
  total = warp_sum(total);
  for (int k = lane_id(); k < c; k += kWarp) gz[k] = g[i] * (total * expf(z[k] - e.max) / e.sum - t[k]);
}

LOUPE_KERNEL cross_entropy_vjp_targets_kernel(const float* z, const float* g, float* gt, int64_t n, int c) {
  const int64_t i = row_of_warp();
  if (i >= n) return;
  z += i * c;
  gt += i * c;
  const Exponentials e(z, c);
  const float log_sum = logf(e.sum);
  for (int k = lane_id(); k < c; k += kWarp) gt[k] = g[i] * (e.max - z[k] + log_sum);
}

Launch over_rows(Stream stream, int64_t n) { return {{blocks_for(n, kWarps)}, {kWarp * kWarps}, 0, stream}; }

}  // namespace

void cross_entropy(Stream stream, const float* z, const float* t, float* loss, int64_t n, int64_t c) {
  launch(over_rows(stream, n), cross_entropy_kernel, z, t, loss, n, small(c));
}
void cross_entropy_vjp_logits(Stream stream, const float* z, const float* t, const float* g, float* gz,
                              int64_t n, int64_t c) {
  launch(over_rows(stream, n), cross_entropy_vjp_logits_kernel, z, t, g, gz, n, small(c));
}
void cross_entropy_vjp_targets(Stream stream, const float* z, const float* g, float* gt, int64_t n,
                               int64_t c) {
  launch(over_rows(stream, n), cross_entropy_vjp_targets_kernel, z, g, gt, n, small(c));
}

LOUPE_EXPORT(cross_entropy);
LOUPE_EXPORT(cross_entropy_vjp_logits);
LOUPE_EXPORT(cross_entropy_vjp_targets);

}  // namespace loupe::LOUPE_TARGET
