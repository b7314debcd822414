// Rung 1: each thread pools a whole map, as a CPU would, and unpools one by throwing each value to its place.
#include "kernels/device/export.h"
#include "kernels/max_pool2d/best.h"
#include "kernels/max_pool2d/ladder/ladder.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 64;

LOUPE_KERNEL max_pool2d_rung1_kernel(Pooling p, Pair map, Pair pooled, const float* x, float* y,
                                     uint8_t* switches, int64_t planes) {
  const int64_t plane = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (plane >= planes) return;
  x += plane * map.h * map.w;
  for (int64_t i = 0; i < pooled.h; ++i)
    for (int64_t j = 0; j < pooled.w; ++j) {
      Best best;
      for (int64_t r = 0; r < p.kernel.h; ++r)
        for (int64_t s = 0; s < p.kernel.w; ++s) {
          const int64_t h = i * p.stride.h - p.padding.h + r * p.dilation.h;
          const int64_t w = j * p.stride.w - p.padding.w + s * p.dilation.w;
          if (h >= 0 && h < map.h && w >= 0 && w < map.w)
            best.offer(x[h * map.w + w], static_cast<int>(r * p.kernel.w + s));
        }
      const int64_t out = (plane * pooled.h + i) * pooled.w + j;
      y[out] = best.value;
      if (switches) switches[out] = best.position();
    }
}

LOUPE_KERNEL max_unpool2d_rung1_kernel(Pooling p, Pair map, Pair pooled, const float* x,
                                       const uint8_t* switches, float* y, int64_t planes) {
  const int64_t plane = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (plane >= planes) return;
  y += plane * map.h * map.w;
  for (int64_t i = 0; i < map.h * map.w; ++i) y[i] = 0;
  for (int64_t i = 0; i < pooled.h; ++i)
    for (int64_t j = 0; j < pooled.w; ++j) {
      const int64_t from = (plane * pooled.h + i) * pooled.w + j;
      const int64_t r = switches[from] / p.kernel.w, s = switches[from] % p.kernel.w;
      const int64_t h = i * p.stride.h - p.padding.h + r * p.dilation.h;
      const int64_t w = j * p.stride.w - p.padding.w + s * p.dilation.w;
      if (r < p.kernel.h && h >= 0 && h < map.h && w >= 0 && w < map.w) y[h * map.w + w] += x[from];
    }
}

}  // namespace

void max_pool2d_rung1(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes) {
  launch({{blocks_for(planes, kThreads)}, {kThreads}, 0, stream}, max_pool2d_rung1_kernel, p, map, pooled, x,
         y, switches, planes);
}

void max_unpool2d_rung1(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x,
                        const uint8_t* switches, float* y, int64_t planes) {
  launch({{blocks_for(planes, kThreads)}, {kThreads}, 0, stream}, max_unpool2d_rung1_kernel, p, map, pooled,
         x, switches, y, planes);
}

LOUPE_EXPORT(max_pool2d_rung1);
LOUPE_EXPORT(max_unpool2d_rung1);

}  // namespace loupe::LOUPE_TARGET
