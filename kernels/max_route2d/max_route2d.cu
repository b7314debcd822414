// The switches of a rounded map on a GPU: max_pool2d's plain kernel, one thread a window. What then sends the
// numbers is max_unpool2d. Floor: 4 bytes an input that a window covers, 1 a window.
#include "kernels/max_route2d/max_route2d.h"

#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/windows.h"
#include "kernels/max_pool2d/best.h"

namespace loupe::LOUPE_TARGET {

namespace {

// To the nearest whole number, halves to even: of 2²³ and more every float is one.
LOUPE_DEVICE float nearest(float x) {
  const float large = with_sign(8388608.0f, x);
  return magnitude(x) < 8388608.0f ? (x + large) - large : x;
}

LOUPE_KERNEL rounded_switches_kernel(Cells windows, WindowAxis rows, WindowAxis columns, Divider by_width,
                                     float fine, const float* x, uint8_t* switches) {
  int64_t plane;
  int cell;
  if (!windows.find(plane, cell)) return;
  const int i = by_width.quotient(cell), j = cell - i * columns.count;
  const float* map = x + plane * rows.size * columns.size;
  const int top = rows.begin(i), left = columns.begin(j);
  Best best;
  for (int r = 0, h = top; r < rows.kernel && h < rows.size; ++r, h += rows.dilation) {
    if (h < 0) continue;
    for (int s = 0, w = left; s < columns.kernel && w < columns.size; ++s, w += columns.dilation)
      if (w >= 0)
        best.offer(nearest(load_readonly(map + h * columns.size + w) * fine), r * columns.kernel + s);
  }
  switches[plane * rows.count * columns.count + cell] = best.position();
}

}  // namespace

void rounded_switches(Stream stream, const Pooling& p, int bits, Pair map, Pair pooled, const float* x,
                      uint8_t* switches, int64_t planes) {
  const Cells windows(planes, pooled.h * pooled.w);
  small(map.h * map.w);  // a place on the map is counted in 32 bits
  launch(windows.launch_in(stream), rounded_switches_kernel, windows, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), Divider(pooled.w), static_cast<float>(int64_t{1} << bits), x,
         switches);
}

LOUPE_EXPORT(rounded_switches);

}  // namespace loupe::LOUPE_TARGET
