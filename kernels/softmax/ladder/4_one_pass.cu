// Rung 4: maximum and sum in one pass. A thread keeps the largest element so far and the sum relative to it;
// when a larger one comes, the sum so far is scaled down. So a row is read twice, and not three times
// (Milakov & Gimelshein 2018).
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/softmax/ladder/ladder.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;

// Σ exp(x − max) over some elements and their maximum. None so far: (−∞, 0).
struct Partial {
  float max = minus_infinity(), sum = 0;

  /// The sum relative to a maximum no smaller. Where nothing but −∞ has come yet, −∞ − −∞ would be NaN.
  LOUPE_DEVICE float scaled(float top) const { return top == minus_infinity() ? sum : sum * expf(max - top); }
  LOUPE_DEVICE void join(const Partial& other) {
    const float top = max_nan(other.max, max);
    sum = scaled(top) + other.scaled(top);
    max = top;
  }
  LOUPE_DEVICE void add(float x) { join({x, 1}); }
};

struct Parts {
  float max[kWarps], sum[kWarps];
};

template <int Width>
LOUPE_KERNEL softmax_rung4_kernel(bool log, const float* x, float* y, int64_t c, int64_t pixels) {
  Parts& part = shared_storage<Parts>();
  const int64_t row = blockIdx.x, start = row / pixels * c * pixels + row % pixels;
  const int64_t first = int64_t{threadIdx.x} * Width, step = int64_t{kThreads} * Width;
  x += start;
  y += start;

  Partial mine;
  for (int64_t k = first; k < c; k += step) {
    const auto v = load_vector<Width>(x + k * pixels);
    for (int i = 0; i < Width; ++i) mine.add(v[i]);
  }
  for (int bits = kWarp / 2; bits > 0; bits /= 2)
    mine.join({shuffle_xor(mine.max, bits), shuffle_xor(mine.sum, bits)});
  if (lane_id() == 0) {
    part.max[warp_id()] = mine.max;
    part.sum[warp_id()] = mine.sum;
  }
  sync_threads();
  Partial all;
  for (int w = 0; w < kWarps; ++w) all.join({part.max[w], part.sum[w]});

  const float log_sum = logf(all.sum);
  for (int64_t k = first; k < c; k += step) {
    auto v = load_vector<Width>(x + k * pixels);
    for (int i = 0; i < Width; ++i) v[i] = log ? v[i] - all.max - log_sum : expf(v[i] - all.max) / all.sum;
    store_vector(y + k * pixels, v);
  }
}

}  // namespace

void softmax_rung4(Stream stream, bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels) {
  launch({{blocks_for(n * pixels, 1)}, {kThreads}, 0, stream},
         pixels == 1 && c % 4 == 0 ? softmax_rung4_kernel<4> : softmax_rung4_kernel<1>, log, x, y, c, pixels);
}

LOUPE_EXPORT(softmax_rung4);

}  // namespace loupe::LOUPE_TARGET
