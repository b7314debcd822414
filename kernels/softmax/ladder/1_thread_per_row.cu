// Rung 1: each thread does a row as a CPU would. Threads that run side by side read addresses a whole row
// apart.
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/softmax/ladder/ladder.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 128;

LOUPE_KERNEL softmax_rung1_kernel(bool log, const float* x, float* y, int64_t rows, int64_t c,
                                  int64_t pixels) {
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= rows) return;
  const int64_t start = row / pixels * c * pixels + row % pixels;
  x += start;
  y += start;

  float max = minus_infinity();
  for (int64_t k = 0; k < c; ++k) max = max_nan(x[k * pixels], max);
  float sum = 0;
  for (int64_t k = 0; k < c; ++k) sum += expf(x[k * pixels] - max);
  const float log_sum = logf(sum);
  for (int64_t k = 0; k < c; ++k) {
    const float shifted = x[k * pixels] - max;
    y[k * pixels] = log ? shifted - log_sum : expf(shifted) / sum;
  }
}

}  // namespace

void softmax_rung1(Stream stream, bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels) {
  launch({{blocks_for(n * pixels, kThreads)}, {kThreads}, 0, stream}, softmax_rung1_kernel, log, x, y,
         n * pixels, c, pixels);
}

LOUPE_EXPORT(softmax_rung1);

}  // namespace loupe::LOUPE_TARGET
