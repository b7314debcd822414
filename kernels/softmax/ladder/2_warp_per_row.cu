// Rung 2: a warp shares a row. Lane i takes elements i, i + 32 …, so that the 32 lanes read one run of
// memory; then each has a maximum or a sum of its own, and shuffles bring them together.
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/warp.h"
#include "kernels/softmax/ladder/ladder.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 4;  // of a block: each has a row of its own

LOUPE_KERNEL softmax_rung2_kernel(bool log, const float* x, float* y, int64_t rows, int64_t c,
                                  int64_t pixels) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + warp_id();
  if (row >= rows) return;
  const int64_t start = row / pixels * c * pixels + row % pixels;
  x += start;
  y += start;

  float max = minus_infinity();
  for (int64_t k = lane_id(); k < c; k += kWarp) max = max_nan(x[k * pixels], max);
  max = warp_max(max);
  float sum = 0;
  for (int64_t k = lane_id(); k < c; k += kWarp) sum += expf(x[k * pixels] - max);
  sum = warp_sum(sum);
  const float log_sum = logf(sum);
  for (int64_t k = lane_id(); k < c; k += kWarp) {
    const float shifted = x[k * pixels] - max;
    y[k * pixels] = log ? shifted - log_sum : expf(shifted) / sum;
  }
}

}  // namespace

void softmax_rung2(Stream stream, bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels) {
  launch({{blocks_for(n * pixels, kWarps)}, {kWarp * kWarps}, 0, stream}, softmax_rung2_kernel, log, x, y,
         n * pixels, c, pixels);
}

LOUPE_EXPORT(softmax_rung2);

}  // namespace loupe::LOUPE_TARGET
