// Patches on a GPU: a thread an element of the result. Floor: 4 bytes read and 4 written an element.
#include "kernels/patch/patch.h"

#include "kernels/device/export.h"
#include "kernels/device/launch.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 256;

LOUPE_KERNEL patch_kernel(PatchSizes s, int64_t count, const float* windows, const float* base,
                          const int32_t* places, float outside, float* y) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t row = i / s.patch_w, plane = row / s.patch_h, n = plane / s.c;
  const int32_t* at = places + (n * s.rows + s.row) * 4;
  const int64_t r = at[2] + row % s.patch_h, q = at[3] + i % s.patch_w, wr = r - at[0], wq = q - at[1];
  if (r < 0 || r >= s.map_h || q < 0 || q >= s.map_w)
    y[i] = outside;
  else if (wr >= 0 && wr < s.window_h && wq >= 0 && wq < s.window_w)
    y[i] = windows[(plane * s.window_h + wr) * s.window_w + wq];
  else
    y[i] = base[(plane % s.c * s.map_h + r) * s.map_w + q];
}

LOUPE_KERNEL patch_vjp_kernel(PatchSizes s, int64_t count, const float* gy, const int32_t* places, float* g) {
  const int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (k >= count) return;
  const int64_t row = k / s.window_w, plane = row / s.window_h, n = plane / s.c;
  const int32_t* at = places + (n * s.rows + s.row) * 4;
  const int64_t r = at[0] + row % s.window_h, q = at[1] + k % s.window_w, i = r - at[2], j = q - at[3];
  const bool in_maps = r >= 0 && r < s.map_h && q >= 0 && q < s.map_w;
  const bool in_patch = i >= 0 && i < s.patch_h && j >= 0 && j < s.patch_w;
  g[k] = in_maps && in_patch ? gy[(plane * s.patch_h + i) * s.patch_w + j] : 0.0f;
}

}  // namespace

void patch(Stream stream, const PatchSizes& s, const float* windows, const float* base, const int32_t* places,
           float outside, float* y) {
  const int64_t count = s.n * s.c * s.patch_h * s.patch_w;
  launch({{blocks_for(count, kThreads)}, {kThreads}, 0, stream}, patch_kernel, s, count, windows, base,
         places, outside, y);
}

void patch_vjp(Stream stream, const PatchSizes& s, const float* gy, const int32_t* places, float* g_windows) {
  const int64_t count = s.n * s.c * s.window_h * s.window_w;
  launch({{blocks_for(count, kThreads)}, {kThreads}, 0, stream}, patch_vjp_kernel, s, count, gy, places,
         g_windows);
}

LOUPE_EXPORT(patch);
LOUPE_EXPORT(patch_vjp);

}  // namespace loupe::LOUPE_TARGET
