// Max pooling on a GPU: one thread an output, neighbours along a row, so that a warp reads and writes lines
// that lie together. Overlapping windows meet in the L1 cache, since a block's outputs are neighbours too.
// The pooling that most networks have, 2×2 side by side, reads 16 bytes of each of two rows and makes two
// outputs.
//
// Floor: 4 bytes an input that a window covers, 5 an output (4 and the switch).
#include "kernels/max_pool2d/max_pool2d.h"

#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/windows.h"
#include "kernels/max_pool2d/best.h"

namespace loupe::LOUPE_TARGET {

namespace {

// K: the side of a square window without dilation; 0 for any other.
template <int K>
LOUPE_KERNEL max_pool2d_kernel(Cells outputs, WindowAxis rows, WindowAxis columns, Divider by_width,
                               const float* x, float* y, uint8_t* switches) {
  int64_t plane;
  int cell;
  if (!outputs.find(plane, cell)) return;
  const int i = by_width.quotient(cell), j = cell - i * columns.count;
  const float* map = x + plane * rows.size * columns.size;
  const int top = rows.begin(i), left = columns.begin(j);
  Best best;
  if constexpr (K > 0) {
    const auto inside = [&](int k) {
      const int h = top + k / K, w = left + k % K;
      return h >= 0 && h < rows.size && w >= 0 && w < columns.size;
    };
    const float* corner = map + top * columns.size + left;
    float v[K * K];  // all loads are under way before the first comparison
    LOUPE_UNROLL
    for (int k = 0; k < K * K; ++k)
      v[k] = inside(k) ? load_readonly(corner + k / K * columns.size + k % K) : 0.0f;
    LOUPE_UNROLL
    for (int k = 0; k < K * K; ++k)
      if (inside(k)) best.offer(v[k], k);
  } else {
    for (int r = 0, h = top; r < rows.kernel && h < rows.size; ++r, h += rows.dilation) {
      if (h < 0) continue;
      for (int s = 0, w = left; s < columns.kernel && w < columns.size; ++s, w += columns.dilation)
        if (w >= 0) best.offer(load_readonly(map + h * columns.size + w), r * columns.kernel + s);
    }
  }
  const int64_t out = plane * rows.count * columns.count + cell;
  y[out] = best.value;
  if (switches) switches[out] = best.position();
}

LOUPE_KERNEL max_pool2d_pairs_kernel(Cells pairs, Divider by_quads, int height, int pooled_height, int quads,
                                     const float* x, float* y, uint8_t* switches) {
  int64_t plane;
  int pair;
  if (!pairs.find(plane, pair)) return;
  const int i = by_quads.quotient(pair), q = pair - i * quads;
  const float* from = x + (plane * height + 2 * i) * (4 * quads) + 4 * q;
  Best best[2];
  for (int r = 0; r < 2 && 2 * i + r < height; ++r) {  // in ceil mode the last row may be alone
    const Float4 row = load_vector<4>(from + r * 4 * quads);
    for (int s = 0; s < 4; ++s) best[s / 2].offer(row[s], 2 * r + s % 2);
  }
  const int64_t out = ((plane * pooled_height + i) * quads + q) * 2;
  store_vector(y + out, Float2{{best[0].value, best[1].value}});
  if (switches) store_vector(switches + out, Vector<uint8_t, 2>{{best[0].position(), best[1].position()}});
}

}  // namespace

void max_pool2d(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x, float* y,
                uint8_t* switches, int64_t planes) {
  if (pairs_of_2x2(p, map, pooled)) {
    const Cells pairs(planes, pooled.h * pooled.w / 2);
    return launch(pairs.launch_in(stream), max_pool2d_pairs_kernel, pairs, Divider(map.w / 4), small(map.h),
                  small(pooled.h), small(map.w / 4), x, y, switches);
  }
  const Cells outputs(planes, pooled.h * pooled.w);
  small(map.h * map.w);  // a place on the map is counted in 32 bits
  const bool square = p.kernel.h == p.kernel.w && p.dilation == Pair(1);
  const auto kernel = square && p.kernel.h == 2   ? max_pool2d_kernel<2>
                      : square && p.kernel.h == 3 ? max_pool2d_kernel<3>
                                                  : max_pool2d_kernel<0>;
  launch(outputs.launch_in(stream), kernel, outputs, WindowAxis::rows(p, map, pooled),
         WindowAxis::columns(p, map, pooled), Divider(pooled.w), x, y, switches);
}

LOUPE_EXPORT(max_pool2d);

}  // namespace loupe::LOUPE_TARGET
