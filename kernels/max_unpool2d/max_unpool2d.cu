// Max unpooling on a GPU, as a gather: one thread a place of the large map asks the windows that cover it, in
// order, whether their switch names it. So nothing is written twice, sums have a fixed order, and the zeros
// between need no pass of their own. Where 2×2 windows lie side by side a thread serves two of them and
// writes 16 bytes of each of two rows.
//
// Floor: 4 bytes a place, 5 an input.
#include "kernels/max_unpool2d/max_unpool2d.h"

#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/windows.h"

namespace loupe::LOUPE_TARGET {

namespace {

LOUPE_KERNEL max_unpool2d_kernel(Cells places, WindowAxis rows, WindowAxis columns, Divider by_width,
                                 const float* x, const uint8_t* switches, float* y) {
  int64_t plane;
  int cell;
  if (!places.find(plane, cell)) return;
  const int h = by_width.quotient(cell), w = cell - h * columns.size;
  const int64_t pooled = plane * rows.count * columns.count;
  const int last_i = rows.last_over(h), first_j = columns.first_over(w), last_j = columns.last_over(w);
  float sum = 0;
  for (int i = rows.first_over(h); i <= last_i; ++i) {
    const int r = rows.position(i, h);
    if (r < 0) continue;
    for (int j = first_j; j <= last_j; ++j) {
      const int s = columns.position(j, w);
      const int64_t at = pooled + i * columns.count + j;
      if (s >= 0 && load_readonly(switches + at) == r * columns.kernel + s) sum += load_readonly(x + at);
    }
  }
  y[plane * rows.size * columns.size + cell] = sum;
}

LOUPE_KERNEL max_unpool2d_pairs_kernel(Cells pairs, Divider by_quads, int height, int pooled_height,
                                       int quads, const float* x, const uint8_t* switches, float* y) {
  int64_t plane;
  int pair;
  if (!pairs.find(plane, pair)) return;
  const int i = by_quads.quotient(pair), q = pair - i * quads;
  Float2 value{};
  Vector<uint8_t, 2> place{};
  if (i < pooled_height) {  // else: the odd last row, which floor mode leaves out
    const int64_t from = ((plane * pooled_height + i) * quads + q) * 2;
    value = load_vector<2>(x + from);
    place = load_vector<2>(switches + from);
  }
  float* to = y + (plane * height + 2 * i) * (4 * quads) + 4 * q;
  for (int r = 0; r < 2 && 2 * i + r < height; ++r) {
    Float4 row;
    for (int s = 0; s < 4; ++s) row[s] = place[s / 2] == 2 * r + s % 2 ? 0.0f + value[s / 2] : 0.0f;
    store_vector(to + r * 4 * quads, row);
  }
}

LOUPE_KERNEL max_unpool2d_vjp_kernel(Cells inputs, WindowAxis rows, WindowAxis columns, Divider by_width,
                                     Divider by_kernel, const float* gy, const uint8_t* switches, float* gx) {
  int64_t plane;
  int cell;
  if (!inputs.find(plane, cell)) return;
  const int i = by_width.quotient(cell), j = cell - i * columns.count;
  const int64_t at = plane * rows.count * columns.count + cell;
  const int place = switches[at], r = by_kernel.quotient(place), s = place - r * columns.kernel;
  const int64_t h = rows.begin(i) + int64_t{r} * rows.dilation;
  const int64_t w = columns.begin(j) + int64_t{s} * columns.dilation;
  const bool on_map = r < rows.kernel && h >= 0 && h < rows.size && w >= 0 && w < columns.size;
  gx[at] = on_map ? load_readonly(gy + (plane * rows.size + h) * columns.size + w) : 0.0f;
}

}  // namespace

void max_unpool2d(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x,
                  const uint8_t* switches, float* y, int64_t planes) {
  if (pairs_of_2x2(p, map, pooled)) {
    const Cells pairs(planes, (map.h + 1) / 2 * (map.w / 4));
    return launch(pairs.launch_in(stream), max_unpool2d_pairs_kernel, pairs, Divider(map.w / 4), small(map.h),
                  small(pooled.h), small(map.w / 4), x, switches, y);
  }
  const Cells places(planes, map.h * map.w);
  launch(places.launch_in(stream), max_unpool2d_kernel, places, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), Divider(map.w), x, switches, y);
}

void max_unpool2d_vjp(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* gy,
                      const uint8_t* switches, float* gx, int64_t planes) {
  const Cells inputs(planes, pooled.h * pooled.w);
  small(map.h * map.w);
  launch(inputs.launch_in(stream), max_unpool2d_vjp_kernel, inputs, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), Divider(pooled.w), Divider(p.kernel.w), gy, switches, gx);
}

LOUPE_EXPORT(max_unpool2d);
LOUPE_EXPORT(max_unpool2d_vjp);

}  // namespace loupe::LOUPE_TARGET
