// Rung 4: the same with fewer requests. The tile comes in 16 bytes at a time, and the switches of four
// neighbouring lanes, a byte each, leave as one word. Rows must be whole vectors, both of the map and of the
// pooled map; else this is rung 3.
#include "kernels/device/export.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"
#include "kernels/max_pool2d/best.h"
#include "kernels/max_pool2d/ladder/ladder.h"
#include "kernels/max_pool2d/ladder/tiles.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWidth = 32, kHeight = 8;  // of a block, and of its tile of the result

// The same cells and some around, so that both ends are multiples of four.
LOUPE_DEVICE Span whole_vectors(Span s) { return {s.begin / 4 * 4, (s.end + 3) / 4 * 4}; }

// Calls body(row, column) for the first cell of every vector of four, shared out among the block's threads.
template <typename Body>
LOUPE_DEVICE void for_vectors(Span rows, Span columns, const Body& body) {
  const int each = columns.size() / 4, all = rows.size() * each;
  for (int k = thread_number(); k < all; k += kWidth * kHeight)
    body(rows.begin + k / each, columns.begin + k % each * 4);
}

LOUPE_KERNEL max_pool2d_rung4_kernel(Tiles tiles, WindowAxis rows, WindowAxis columns, const float* x,
                                     float* y, uint8_t* switches) {
  const int64_t plane = tiles.plane();
  const int top = tiles.top(), left = tiles.left();
  const Span down = under_windows(rows, top, kHeight);
  const Span across = whole_vectors(under_windows(columns, left, kWidth));
  const int pitch = across.size();
  float* tile = dynamic_shared_storage<float>();
  const float* map = x + plane * rows.size * columns.size;
  for_vectors(down, across, [&](int h, int w) {
    store_vector(tile + (h - down.begin) * pitch + w - across.begin,
                 load_vector<4>(map + h * columns.size + w));
  });
  sync_threads();

  const int i = top + static_cast<int>(threadIdx.y), j = left + static_cast<int>(threadIdx.x);
  const bool exists = i < rows.count && j < columns.count;
  Best best;
  for (int r = 0, h = rows.begin(i); exists && r < rows.kernel && h < rows.size; ++r, h += rows.dilation)
    for (int s = 0, w = columns.begin(j); s < columns.kernel && w < columns.size; ++s, w += columns.dilation)
      if (h >= 0 && w >= 0)
        best.offer(tile[(h - down.begin) * pitch + w - across.begin], r * columns.kernel + s);
  const int64_t out = (plane * rows.count + i) * columns.count + j;
  if (exists) y[out] = best.value;
  if (!switches) return;
  // Lane 4q + b has byte b of word q; all lanes of the warp come here, whether they have a cell or not.
  uint32_t word = static_cast<uint32_t>(best.position()) << 8 * (lane_id() % 4);
  word |= shuffle_xor(word, 1);
  word |= shuffle_xor(word, 2);
  if (exists && lane_id() % 4 == 0) *reinterpret_cast<uint32_t*>(switches + out) = word;
}

LOUPE_KERNEL max_unpool2d_rung4_kernel(Tiles tiles, WindowAxis rows, WindowAxis columns, int most,
                                       const float* x, const uint8_t* switches, float* y) {
  const int64_t plane = tiles.plane();
  const int top = tiles.top(), left = tiles.left();
  const Span down = over_cells(rows, top, kHeight);
  const Span across = whole_vectors(over_cells(columns, left, kWidth));
  const int pitch = across.size();
  float* values = dynamic_shared_storage<float>();
  auto* places = reinterpret_cast<uint8_t*>(values + most);
  for_vectors(down, across, [&](int i, int j) {
    const int64_t from = (plane * rows.count + i) * columns.count + j;
    const int to = (i - down.begin) * pitch + j - across.begin;
    store_vector(values + to, load_vector<4>(x + from));
    store_vector(places + to, load_vector<4>(switches + from));
  });
  sync_threads();

  const int h = top + static_cast<int>(threadIdx.y), w = left + static_cast<int>(threadIdx.x);
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

bool whole_rows(Pair map, Pair pooled) { return map.w % 4 == 0 && pooled.w % 4 == 0; }

}  // namespace

void max_pool2d_rung4(Stream stream, const Pooling& p, Pair map, Pair pooled, const float* x, float* y,
                      uint8_t* switches, int64_t planes) {
  const auto rows = WindowAxis::rows(p, map, pooled), columns = WindowAxis::columns(p, map, pooled);
  const int64_t bytes = 4 * most_under(rows, kHeight) * (most_under(columns, kWidth) + 6);
  if (!whole_rows(map, pooled) || bytes > kMostShared)
    return max_pool2d_rung3(stream, p, map, pooled, x, y, switches, planes);
  const Tiles tiles(pooled.h, pooled.w, kHeight, kWidth);
  launch({{tiles.blocks(planes)}, {kWidth, kHeight}, static_cast<size_t>(bytes), stream},
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
  launch({{tiles.blocks(planes)}, {kWidth, kHeight}, static_cast<size_t>(bytes), stream},
         max_unpool2d_rung4_kernel, tiles, rows, columns, static_cast<int>(most), x, switches, y);
}

LOUPE_EXPORT(max_pool2d_rung4);
LOUPE_EXPORT(max_unpool2d_rung4);

}  // namespace loupe::LOUPE_TARGET
