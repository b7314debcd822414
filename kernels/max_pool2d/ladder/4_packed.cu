// Rung 4: each thread makes four neighbouring cells. It brings 16 bytes of the tile at a time, writes 16
// bytes of the result, and its four switches, a byte each, travel as one word. Rows must be whole vectors,
// both of the map and of the pooled map; else this is rung 3.
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/max_pool2d/best.h"
#include "kernels/max_pool2d/ladder/ladder.h"
#include "kernels/max_pool2d/ladder/tiles.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kEach = 4;                  // cells of a thread, side by side
constexpr int kAcross = 8, kHeight = 16;  // threads of a block
constexpr int kWidth = kAcross * kEach;   // of its tile of the result

// The same cells and some around, so that both ends are multiples of four.
LOUPE_DEVICE Span whole_vectors(Span s) { return {s.begin / 4 * 4, (s.end + 3) / 4 * 4}; }

LOUPE_KERNEL max_pool2d_rung4_kernel(Tiles tiles, WindowAxis rows, WindowAxis columns, const float* x,
                                     float* y, uint8_t* switches) {
  const int64_t plane = tiles.plane();
  const int top = tiles.top(), left = tiles.left();
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const Span down = under_windows(rows, top, kHeight);
  const Span across = whole_vectors(under_windows(columns, left, kWidth));
  const int pitch = across.size();
  float* tile = dynamic_shared_storage<float>();
  const float* map = x + plane * rows.size * columns.size;
  for (int h = down.begin + ty; h < down.end; h += kHeight)
    for (int w = across.begin + 4 * tx; w < across.end; w += 4 * kAcross)
      store_vector(tile + (h - down.begin) * pitch + w - across.begin,
                   load_vector<4>(map + h * columns.size + w));
  sync_threads();

  const int i = top + ty, j = left + kEach * tx;
  if (i >= rows.count || j >= columns.count) return;
  Float4 values;
  Vector<uint8_t, 4> places;
  LOUPE_UNROLL
  for (int k = 0; k < kEach; ++k) {
    Best best;
    for (int r = 0, h = rows.begin(i); r < rows.kernel && h < rows.size; ++r, h += rows.dilation)
      for (int s = 0, w = columns.begin(j + k); s < columns.kernel && w < columns.size;
           ++s, w += columns.dilation)
        if (h >= 0 && w >= 0)
          best.offer(tile[(h - down.begin) * pitch + w - across.begin], r * columns.kernel + s);
    values[k] = best.value;
    places[k] = best.position();
  }
  const int64_t out = (plane * rows.count + i) * columns.count + j;
  store_vector(y + out, values);
  if (switches) store_vector(switches + out, places);
}

LOUPE_KERNEL max_unpool2d_rung4_kernel(Tiles tiles, WindowAxis rows, WindowAxis columns, int most,
                                       const float* x, const uint8_t* switches, float* y) {
  const int64_t plane = tiles.plane();
  const int top = tiles.top(), left = tiles.left();
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const Span down = over_cells(rows, top, kHeight);
  const Span across = whole_vectors(over_cells(columns, left, kWidth));
  const int pitch = across.size();
  float* values = dynamic_shared_storage<float>();
  auto* places = reinterpret_cast<uint8_t*>(values + most);
  for (int i = down.begin + ty; i < down.end; i += kHeight)
    for (int j = across.begin + 4 * tx; j < across.end; j += 4 * kAcross) {
      const int64_t from = (plane * rows.count + i) * columns.count + j;
      const int to = (i - down.begin) * pitch + j - across.begin;
      store_vector(values + to, load_vector<4>(x + from));
      store_vector(places + to, load_vector<4>(switches + from));
    }
  sync_threads();

  const int h = top + ty, w = left + kEach * tx;
  if (h >= rows.size || w >= columns.size) return;
  Float4 sums{};
  LOUPE_UNROLL
  for (int k = 0; k < kEach; ++k)
    for (int i = rows.first_over(h); i <= rows.last_over(h); ++i)
      for (int j = columns.first_over(w + k); j <= columns.last_over(w + k); ++j) {
        const int r = rows.position(i, h), s = columns.position(j, w + k);
        const int at = (i - down.begin) * pitch + j - across.begin;
        if (r >= 0 && s >= 0 && places[at] == r * columns.kernel + s) sums[k] += values[at];
      }
  store_vector(y + (plane * rows.size + h) * columns.size + w, sums);
}

bool whole_rows(Pair map, Pair pooled) { return map.w % 4 == 0 && pooled.w % 4 == 0; }

}  // namespace

void max_pool2d_rung4(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes) {
  const auto rows = WindowAxis::rows(p, map, pooled), columns = WindowAxis::columns(p, map, pooled);
  const int64_t bytes = 4 * most_under(rows, kHeight) * (most_under(columns, kWidth) + 6);
  if (!whole_rows(map, pooled) || bytes > kMostShared)
    return max_pool2d_rung3(stream, p, map, pooled, x, y, switches, planes);
  const Tiles tiles(pooled.h, pooled.w, kHeight, kWidth);
  launch({{tiles.blocks(planes)}, {kAcross, kHeight}, static_cast<size_t>(bytes), stream},
         max_pool2d_rung4_kernel, tiles, rows, columns, x, y, switches);
}

void max_unpool2d_rung4(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x,
                        const uint8_t* switches, float* y, int64_t planes) {
  const auto rows = WindowAxis::rows(p, map, pooled), columns = WindowAxis::columns(p, map, pooled);
  const int64_t most = most_over(rows, kHeight) * (most_over(columns, kWidth) + 6) / 4 * 4 + 4;
  const int64_t bytes = 5 * most;
  if (!whole_rows(map, pooled) || bytes > kMostShared)
    return max_unpool2d_rung3(stream, p, map, pooled, x, switches, y, planes);
  const Tiles tiles(map.h, map.w, kHeight, kWidth);
  launch({{tiles.blocks(planes)}, {kAcross, kHeight}, static_cast<size_t>(bytes), stream},
         max_unpool2d_rung4_kernel, tiles, rows, columns, static_cast<int>(most), x, switches, y);
}

LOUPE_EXPORT(max_pool2d_rung4);
LOUPE_EXPORT(max_unpool2d_rung4);

}  // namespace loupe::LOUPE_TARGET
