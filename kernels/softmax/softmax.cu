// softmax and log_softmax on a GPU. A row of scores, (N, F), belongs to a warp, or to a block if it is long;
// its threads read 16 bytes each where the row is whole vectors, and exchange their maxima and sums. Over
// maps a block takes 32 neighbouring pixels: each of its 8 warps has every eighth channel of all 32, so that
// a warp reads pixels that lie together. Threads, warps and lanes are added up in a fixed order.
//
// Floor: 4 bytes read and 4 written an element (the vjp reads 8). A row is read three times, the second and
// third time from the L1 cache.
#include "kernels/softmax/softmax.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8;            // of a block
constexpr int kMostForAWarp = 1024;  // scores

// The threads that share a row: a warp, or a block of kWarps.
template <int Threads>
struct Team {
  struct Parts {
    float max[kWarps], sum[kWarps];
  };
  static constexpr bool kIsWarp = Threads == kWarp;

  static unsigned blocks(int64_t rows) { return blocks_for(rows, kIsWarp ? kWarps : 1); }
  LOUPE_DEVICE static int64_t row() {
    return kIsWarp ? int64_t{blockIdx.x} * kWarps + warp_id() : int64_t{blockIdx.x};
  }
  LOUPE_DEVICE static int member() { return kIsWarp ? lane_id() : thread_number(); }

  /// Each of the two at most once in a kernel.
  LOUPE_DEVICE static float max(float value) {
    value = warp_max(value);
    if constexpr (kIsWarp) return value;
    auto& part = shared_storage<Parts>().max;
    if (lane_id() == 0) part[warp_id()] = value;
    sync_threads();
    for (int i = 0; i < kWarps; ++i) value = max_nan(part[i], value);
    return value;
  }
  LOUPE_DEVICE static float sum(float value) {
    value = warp_sum(value);
    if constexpr (kIsWarp) return value;
    auto& part = shared_storage<Parts>().sum;
    if (lane_id() == 0) part[warp_id()] = value;
    sync_threads();
    value = 0;
    for (int i = 0; i < kWarps; ++i) value += part[i];
    return value;
  }
};

// Calls body(k) for the first index of each vector that is the thread's.
template <int Threads, int Width, typename Body>
LOUPE_DEVICE void for_own(int c, const Body& body) {
  for (int k = Team<Threads>::member() * Width; k < c; k += Threads * Width) body(k);
}

template <int Threads, int Width>
LOUPE_KERNEL softmax_rows_kernel(bool log, const float* x, float* y, int64_t rows, int c) {
  using Row = Team<Threads>;
  const int64_t row = Row::row();
  if (row >= rows) return;
  x += row * c;
  y += row * c;
  float max = minus_infinity();
  for_own<Threads, Width>(c, [&](int k) {
    const auto v = load_vector<Width>(x + k);
    for (int i = 0; i < Width; ++i) max = max_nan(v[i], max);
  });
  max = Row::max(max);
  float sum = 0;
  for_own<Threads, Width>(c, [&](int k) {
    const auto v = load_vector<Width>(x + k);
    for (int i = 0; i < Width; ++i) sum += expf(v[i] - max);
  });
  sum = Row::sum(sum);
  const float log_sum = log ? logf(sum) : 0;
  for_own<Threads, Width>(c, [&](int k) {
    auto v = load_vector<Width>(x + k);
    for (int i = 0; i < Width; ++i) v[i] = log ? v[i] - max - log_sum : expf(v[i] - max) / sum;
    store_vector(y + k, v);
  });
}

template <int Threads, int Width>
LOUPE_KERNEL softmax_rows_vjp_kernel(bool log, const float* y, const float* gy, float* gx, int64_t rows,
                                     int c) {
  using Row = Team<Threads>;
  const int64_t row = Row::row();
  if (row >= rows) return;
  y += row * c;
  gy += row * c;
  gx += row * c;
  float sum = 0;
  for_own<Threads, Width>(c, [&](int k) {
    const auto v = load_vector<Width>(y + k), g = load_vector<Width>(gy + k);
    for (int i = 0; i < Width; ++i) sum += log ? g[i] : g[i] * v[i];
  });
  sum = Row::sum(sum);
  for_own<Threads, Width>(c, [&](int k) {
    const auto v = load_vector<Width>(y + k), g = load_vector<Width>(gy + k);
    auto out = v;
    for (int i = 0; i < Width; ++i) out[i] = log ? g[i] - expf(v[i]) * sum : v[i] * (g[i] - sum);
    store_vector(gx + k, out);
  });
}

// Maps: 32 pixels a block, counted through all images; threadIdx.y is the share of the channels.
struct PixelParts {
  float max[kWarps][kWarp], sum[kWarps][kWarp];
};
struct Pixel {
  bool exists;
  int64_t start;  // of its channel 0
  int lane, share;
  LOUPE_DEVICE Pixel(int64_t all, int c, int64_t pixels)
      : lane(static_cast<int>(threadIdx.x)), share(static_cast<int>(threadIdx.y)) {
    const int64_t i = int64_t{blockIdx.x} * kWarp + lane;
    exists = i < all;
    start = i / pixels * c * pixels + i % pixels;
  }
};

LOUPE_KERNEL softmax_maps_kernel(bool log, const float* x, float* y, int64_t all, int c, int64_t pixels) {
  auto& part = shared_storage<PixelParts>();
  const Pixel me(all, c, pixels);
  x += me.start;
  y += me.start;
  float max = minus_infinity();
  for (int k = me.share; me.exists && k < c; k += kWarps) max = max_nan(x[k * pixels], max);
  part.max[me.share][me.lane] = max;
  sync_threads();
  for (int i = 0; i < kWarps; ++i) max = max_nan(part.max[i][me.lane], max);
  float sum = 0;
  for (int k = me.share; me.exists && k < c; k += kWarps) sum += expf(x[k * pixels] - max);
  part.sum[me.share][me.lane] = sum;
  sync_threads();
  sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += part.sum[i][me.lane];
  const float log_sum = log ? logf(sum) : 0;
  for (int k = me.share; me.exists && k < c; k += kWarps) {
    const float shifted = x[k * pixels] - max;
    y[k * pixels] = log ? shifted - log_sum : expf(shifted) / sum;
  }
}

LOUPE_KERNEL softmax_maps_vjp_kernel(bool log, const float* y, const float* gy, float* gx, int64_t all, int c,
                                     int64_t pixels) {
  auto& part = shared_storage<PixelParts>().sum;
  const Pixel me(all, c, pixels);
  y += me.start;
  gy += me.start;
  gx += me.start;
  float sum = 0;
  for (int k = me.share; me.exists && k < c; k += kWarps)
    sum += log ? gy[k * pixels] : gy[k * pixels] * y[k * pixels];
  part[me.share][me.lane] = sum;
  sync_threads();
  sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += part[i][me.lane];
  for (int k = me.share; me.exists && k < c; k += kWarps)
    gx[k * pixels] =
        log ? gy[k * pixels] - expf(y[k * pixels]) * sum : y[k * pixels] * (gy[k * pixels] - sum);
}

constexpr int kBlockThreads = kWarp * kWarps;

Launch over_maps(Stream stream, int64_t all) {
  return {{blocks_for(all, kWarp)}, {kWarp, kWarps}, 0, stream};
}

}  // namespace

void softmax(Stream stream, bool log, const float* x, float* y, int64_t n, int64_t c, int64_t pixels) {
  const int channels = small(c);
  if (pixels > 1)
    return launch(over_maps(stream, n * pixels), softmax_maps_kernel, log, x, y, n * pixels, channels,
                  pixels);
  const bool vectors = c % 4 == 0;
  if (c <= kMostForAWarp)
    launch({{Team<kWarp>::blocks(n)}, {kBlockThreads}, 0, stream},
           vectors ? softmax_rows_kernel<kWarp, 4> : softmax_rows_kernel<kWarp, 1>, log, x, y, n, channels);
  else
    launch({{Team<kBlockThreads>::blocks(n)}, {kBlockThreads}, 0, stream},
           vectors ? softmax_rows_kernel<kBlockThreads, 4> : softmax_rows_kernel<kBlockThreads, 1>, log, x, y,
           n, channels);
}

void softmax_vjp(Stream stream, bool log, const float* y, const float* gy, float* gx, int64_t n, int64_t c,
                 int64_t pixels) {
  const int channels = small(c);
  if (pixels > 1)
    return launch(over_maps(stream, n * pixels), softmax_maps_vjp_kernel, log, y, gy, gx, n * pixels,
                  channels, pixels);
  const bool vectors = c % 4 == 0;
  if (c <= kMostForAWarp)
    launch({{Team<kWarp>::blocks(n)}, {kBlockThreads}, 0, stream},
           vectors ? softmax_rows_vjp_kernel<kWarp, 4> : softmax_rows_vjp_kernel<kWarp, 1>, log, y, gy, gx, n,
           channels);
  else
    launch({{Team<kBlockThreads>::blocks(n)}, {kBlockThreads}, 0, stream},
           vectors ? softmax_rows_vjp_kernel<kBlockThreads, 4> : softmax_rows_vjp_kernel<kBlockThreads, 1>,
           log, y, gy, gx, n, channels);
}

LOUPE_EXPORT(softmax);
LOUPE_EXPORT(softmax_vjp);

}  // namespace loupe::LOUPE_TARGET
