// Rung 2: a thread for each cell of the result, so that the lanes of a warp read and write neighbours. To
// unpool, a thread may not throw values any more, since two of them could add to one place at once; it looks
// instead at the windows over its own place, and takes what points at it.
#include "kernels/device/export.h"
#include "kernels/device/windows.h"
#include "kernels/max_pool2d/best.h"
#include "kernels/max_pool2d/ladder/ladder.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL max_pool2d_rung2_kernel(Cells outputs, WindowAxis rows, WindowAxis columns, const float* x,
                                     float* y, uint8_t* switches) {
  int64_t plane;
  int cell;
  if (!outputs.find(plane, cell)) return;
  const int i = cell / columns.count, j = cell % columns.count;
  const float* map = x + plane * rows.size * columns.size;
  Best best;
  for (int r = 0, h = rows.begin(i); r < rows.kernel && h < rows.size; ++r, h += rows.dilation)
    for (int s = 0, w = columns.begin(j); s < columns.kernel && w < columns.size; ++s, w += columns.dilation)
      if (h >= 0 && w >= 0) best.offer(map[h * columns.size + w], r * columns.kernel + s);
  const int64_t out = plane * rows.count * columns.count + cell;
  y[out] = best.value;
  if (switches) switches[out] = best.position();
}

LOUPE_KERNEL max_unpool2d_rung2_kernel(Cells places, WindowAxis rows, WindowAxis columns, const float* x,
                                       const uint8_t* switches, float* y) {
  int64_t plane;
  int cell;
  if (!places.find(plane, cell)) return;
  const int h = cell / columns.size, w = cell % columns.size;
  const int64_t pooled = plane * rows.count * columns.count;
  float sum = 0;
  for (int i = rows.first_over(h); i <= rows.last_over(h); ++i)
    for (int j = columns.first_over(w); j <= columns.last_over(w); ++j) {
      const int r = rows.position(i, h), s = columns.position(j, w);
      const int64_t at = pooled + i * columns.count + j;
      if (r >= 0 && s >= 0 && switches[at] == r * columns.kernel + s) sum += x[at];
    }
  y[plane * rows.size * columns.size + cell] = sum;
}

}  // namespace

void max_pool2d_rung2(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes) {
  const Cells outputs(planes, pooled.h * pooled.w);
  small(map.h * map.w);
  launch(outputs.launch_in(stream), max_pool2d_rung2_kernel, outputs, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), x, y, switches);
}

void max_unpool2d_rung2(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x,
                        const uint8_t* switches, float* y, int64_t planes) {
  const Cells places(planes, map.h * map.w);
  launch(places.launch_in(stream), max_unpool2d_rung2_kernel, places, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), x, switches, y);
}

LOUPE_EXPORT(max_pool2d_rung2);
LOUPE_EXPORT(max_unpool2d_rung2);

}  // namespace loupe::LOUPE_TARGET
