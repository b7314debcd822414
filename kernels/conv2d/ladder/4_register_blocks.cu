// Rung 4 of conv2d: a thread makes 8 × 8 outputs.
//
// Slow in rung 3: each multiply-add reads its two factors from shared memory, eight times what shared memory
// delivers at the speed of the arithmetic.
//
// The idea: the same once more, one level up. A thread fetches 8 weights and 8 cells from shared memory into
// registers and makes all 64 products of them. So 64 threads do a tile of 64 × 64, sixteen times as large as
// before, and a value fetched from global memory serves four times as many products. (There are fewer threads
// than values to fetch now, so fill() deals them out anew.)
//
// A thread's outputs are not side by side: its channels are ty, ty + 8 …, its pixels tx, tx + 8 …, so that
// what the threads of a warp (4 values of ty, 8 of tx) touch at once lies side by side. The 4 filters they
// read at once are a row of the slab apart: were rows 16 words long, two of the 4 would meet in one bank, so
// rows have 17.
//
// Look at: requests to shared memory, and wavefronts, which equal their ideal. Then take the `+ 1` out of
// Slab and look again.
//
// Bytes for a multiply-add, from global memory: 0.5 before, now (64 + 64) · 4 / 64² = 0.125. From shared
// memory: 8 before, now (8 + 8) · 4 / 8² = 1.
//
// The price: 64 sums, and what is on its way to them, fill about 170 registers a thread. A multiprocessor has
// 65 536, so it holds 6 of these blocks: 384 threads, of the 2048 it could run. A thread must now find in its
// own 64 independent sums the work that hides its waits.
#include "kernels/conv2d/ladder/ladder.h"
#include "kernels/conv2d/ladder/sizes.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kTile = 64;   // channels and pixels of a block
constexpr int kDepth = 16;  // terms of a slab
constexpr int kEach = 8;    // channels and pixels of a thread
constexpr int kSide = kTile / kEach;

struct Slab {
  float filters[kTile][kDepth + 1];  // (channel, term)
  float cells[kDepth][kTile];        // (term, pixel)
};

// What a block fetches from.
struct Source {
  const float* maps;     // of this thread's pixel: (C/G, H, W)
  Window at;             // that pixel's window
  const float* filters;  // of the tile's channels: (rows, terms)
  int rows;
};

// Fetches terms t0 … t0 + 15: the cells of one pixel a thread, and 16 threads side by side 16 terms of a
// filter.
LOUPE_DEVICE void fill(Slab& slab, const Sizes& s, const Source& from, int t0) {
  const int thread = thread_number();
  LOUPE_UNROLL
  for (int t = 0; t < kDepth; ++t) {
    const int cell = s.cell(from.at, t0 + t);
    slab.cells[t][thread] = cell >= 0 ? from.maps[cell] : 0;
  }
  const int t = thread % kDepth, first = thread / kDepth * 16;
  LOUPE_UNROLL
  for (int row = first; row < first + 16; ++row) {
    const bool wanted = row < from.rows && t0 + t < s.terms;
    slab.filters[row][t] = wanted ? from.filters[int64_t{row} * s.terms + t0 + t] : 0;
  }
}

LOUPE_DEVICE void multiply(const Slab& slab, float (&sum)[kEach][kEach]) {
  const int tx = threadIdx.x, ty = threadIdx.y;
  LOUPE_UNROLL
  for (int t = 0; t < kDepth; ++t) {
    float f[kEach], v[kEach];
    LOUPE_UNROLL
    for (int i = 0; i < kEach; ++i) f[i] = slab.filters[ty + i * kSide][t];
    LOUPE_UNROLL
    for (int j = 0; j < kEach; ++j) v[j] = slab.cells[t][tx + j * kSide];
    LOUPE_UNROLL
    for (int i = 0; i < kEach; ++i) LOUPE_UNROLL
    for (int j = 0; j < kEach; ++j) sum[i][j] = fused(f[i], v[j], sum[i][j]);
  }
}

LOUPE_KERNEL conv2d_rung4_kernel(Sizes s, const float* x, const float* weight, const float* bias, float* y) {
  auto& slab = shared_storage<Slab>();
  const int tiles = (s.group_k + kTile - 1) / kTile;
  const int group = blockIdx.y / tiles, first_row = blockIdx.y % tiles * kTile;
  const int first_k = group * s.group_k + first_row, rows = s.group_k - first_row;
  const int first_p = blockIdx.x * kTile;
  const Window at = s.window(first_p + thread_number());
  const Source from{x + s.maps(at, group), at, weight + int64_t{first_k} * s.terms, rows};

  float sum[kEach][kEach] = {};
  for (int t0 = 0; t0 < s.terms; t0 += kDepth) {
    fill(slab, s, from, t0);
    sync_threads();
    multiply(slab, sum);
    sync_threads();
  }
  LOUPE_UNROLL
  for (int j = 0; j < kEach; ++j) {
    const int p = first_p + threadIdx.x + j * kSide;
    if (p >= s.pixels) continue;
    const Window to = s.window(p);
    LOUPE_UNROLL
    for (int i = 0; i < kEach; ++i) {
      const int row = threadIdx.y + i * kSide;
      if (row >= rows) continue;
      y[s.output(to, first_k + row)] = sum[i][j] + (bias ? bias[first_k + row] : 0);
    }
  }
}

}  // namespace

void conv2d_rung4(Stream stream, ConvSizes sizes, const float* x, const float* weight, const float* bias,
                  float* y) {
  const Sizes s(sizes);
  launch({{blocks_for(s.pixels, kTile), blocks_for(s.group_k, kTile) * s.groups}, {kSide, kSide}, 0, stream},
         conv2d_rung4_kernel, s, x, weight, bias, y);
}

LOUPE_EXPORT(conv2d_rung4);

}  // namespace loupe::LOUPE_TARGET
