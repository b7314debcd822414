// Rung 3: a whole block shares a row, so that long rows are done by more threads; warps leave their part in
// shared memory, and after a barrier all add up all parts. A thread reads 16 bytes at once where the row's
// elements lie together and are a multiple of four.
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/softmax/ladder/ladder.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;

struct Parts {
  float max[kWarps], sum[kWarps];
};

template <int Width>
LOUPE_KERNEL softmax_rung3_kernel(bool log, const float* x, float* y, int64_t c, int64_t pixels) {
  Parts& part = shared_storage<Parts>();
  const int64_t row = blockIdx.x, start = row / pixels * c * pixels + row % pixels;
  const int64_t first = int64_t{threadIdx.x} * Width, step = int64_t{kThreads} * Width;
  x += start;
  y += start;

  float max = minus_infinity();
  for (int64_t k = first; k < c; k += step) {
    const auto v = load_vector<Width>(x + k * pixels);
    for (int i = 0; i < Width; ++i) max = max_nan(v[i], max);
  }
  max = warp_max(max);
  if (lane_id() == 0) part.max[warp_id()] = max;
  sync_threads();
  for (int w = 0; w < kWarps; ++w) max = max_nan(part.max[w], max);

  float sum = 0;
  for (int64_t k = first; k < c; k += step) {
    const auto v = load_vector<Width>(x + k * pixels);
    for (int i = 0; i < Width; ++i) sum += expf(v[i] - max);
  }
  sum = warp_sum(sum);
  if (lane_id() == 0) part.sum[warp_id()] = sum;
  sync_threads();
  sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += part.sum[w];

  const float log_sum = logf(sum);
  for (int64_t k = first; k < c; k += step) {
    auto v = load_vector<Width>(x + k * pixels);
    for (int i = 0; i < Width; ++i) v[i] = log ? v[i] - max - log_sum : expf(v[i] - max) / sum;
    store_vector(y + k * pixels, v);
  }
}

}  // namespace

void softmax_rung3(Stream stream, bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels) {
  launch({{blocks_for(n * pixels, 1)}, {kThreads}, 0, stream},
         pixels == 1 && c % 4 == 0 ? softmax_rung3_kernel<4> : softmax_rung3_kernel<1>, log, x, y, c, pixels);
}

LOUPE_EXPORT(softmax_rung3);

}  // namespace loupe::LOUPE_TARGET
