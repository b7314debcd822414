// Rung 3: a block brings all that its cells look at into shared memory first, each value once, and its
// threads look there. Windows that overlap no longer ask global memory for the same cells again.
#include "kernels/device/export.h"
#include "kernels/device/shared.h"
#include "kernels/max_pool2d/best.h"
#include "kernels/max_pool2d/ladder/ladder.h"
#include "kernels/max_pool2d/ladder/tiles.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWidth = 32, kHeight = 8;  // of a block, and of its tile of the result

LOUPE_KERNEL max_pool2d_rung3_kernel(Tiles tiles, WindowAxis rows, WindowAxis columns, const float* x,
                                     float* y, uint8_t* switches) {
  const int64_t plane = tiles.plane();
  const int top = tiles.top(), left = tiles.left();
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const Span down = under_windows(rows, top, kHeight), across = under_windows(columns, left, kWidth);
  const int pitch = across.size();
  float* tile = dynamic_shared_storage<float>();
  const float* map = x + plane * rows.size * columns.size;
  for (int h = down.begin + ty; h < down.end; h += kHeight)
    for (int w = across.begin + tx; w < across.end; w += kWidth)
      tile[(h - down.begin) * pitch + w - across.begin] = map[h * columns.size + w];
  sync_threads();

  const int i = top + ty, j = left + tx;
  if (i >= rows.count || j >= columns.count) return;
  Best best;
  for (int r = 0, h = rows.begin(i); r < rows.kernel && h < rows.size; ++r, h += rows.dilation)
    for (int s = 0, w = columns.begin(j); s < columns.kernel && w < columns.size; ++s, w += columns.dilation)
      if (h >= 0 && w >= 0)
        best.offer(tile[(h - down.begin) * pitch + w - across.begin], r * columns.kernel + s);
  const int64_t out = (plane * rows.count + i) * columns.count + j;
  y[out] = best.value;
  if (switches) switches[out] = best.position();
}

LOUPE_KERNEL max_unpool2d_rung3_kernel(Tiles tiles, WindowAxis rows, WindowAxis columns, int most,
                                       const float* x, const uint8_t* switches, float* y) {
  const int64_t plane = tiles.plane();
  const int top = tiles.top(), left = tiles.left();
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const Span down = over_cells(rows, top, kHeight), across = over_cells(columns, left, kWidth);
  const int pitch = across.size();
  float* values = dynamic_shared_storage<float>();
  auto* places = reinterpret_cast<uint8_t*>(values + most);
  for (int i = down.begin + ty; i < down.end; i += kHeight)
    for (int j = across.begin + tx; j < across.end; j += kWidth) {
      const int64_t from = (plane * rows.count + i) * columns.count + j;
      const int to = (i - down.begin) * pitch + j - across.begin;
      values[to] = x[from];
      places[to] = switches[from];
    }
  sync_threads();

  const int h = top + ty, w = left + tx;
  if (h >= rows.size || w >= columns.size) return;
  float sum = 0;
  for (int i = rows.first_over(h); i <= rows.last_over(h); ++i)
    for (int j = columns.first_over(w); j <= columns.last_over(w); ++j) {
      const int r = rows.position(i, h), s = columns.position(j, w);
      const int at = (i - down.begin) * pitch + j - across.begin;
      if (r >= 0 && s >= 0 && places[at] == r * columns.kernel + s) sum += values[at];
    }
  y[(plane * rows.size + h) * columns.size + w] = sum;
}

}  // namespace

void max_pool2d_rung3(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes) {
  const auto rows = WindowAxis::rows(p, map, pooled), columns = WindowAxis::columns(p, map, pooled);
  const int64_t bytes = 4 * most_under(rows, kHeight) * most_under(columns, kWidth);
  if (bytes > kMostShared) return max_pool2d_rung2(stream, p, map, pooled, x, y, switches, planes);
  const Tiles tiles(pooled.h, pooled.w, kHeight, kWidth);
  launch({{tiles.blocks(planes)}, {kWidth, kHeight}, static_cast<size_t>(bytes), stream},
         max_pool2d_rung3_kernel, tiles, rows, columns, x, y, switches);
}

void max_unpool2d_rung3(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x,
                        const uint8_t* switches, float* y, int64_t planes) {
  const auto rows = WindowAxis::rows(p, map, pooled), columns = WindowAxis::columns(p, map, pooled);
  const int64_t most = most_over(rows, kHeight) * most_over(columns, kWidth), bytes = 5 * most;
  if (bytes > kMostShared) return max_unpool2d_rung2(stream, p, map, pooled, x, switches, y, planes);
  const Tiles tiles(map.h, map.w, kHeight, kWidth);
  launch({{tiles.blocks(planes)}, {kWidth, kHeight}, static_cast<size_t>(bytes), stream},
         max_unpool2d_rung3_kernel, tiles, rows, columns, static_cast<int>(most), x, switches, y);
}

LOUPE_EXPORT(max_pool2d_rung3);
LOUPE_EXPORT(max_unpool2d_rung3);

}  // namespace loupe::LOUPE_TARGET
