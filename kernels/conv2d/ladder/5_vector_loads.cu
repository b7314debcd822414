// Rung 5 of conv2d: 16 bytes a request, and the next slab is on its way while this one is multiplied.
//
// Slow in rung 4: a thread issues 16 reads of 4 bytes for its 64 multiply-adds, and an instruction that reads
// takes a turn from one that computes. And for each slab everybody waits until the values have come from
// global memory, hundreds of cycles away.
//
// The idea, first half: *vectors*. One instruction reads four words that lie side by side. So a thread's
// pixels are now twice four neighbours, and it reads a filter four terms at a time. Filters come from global
// memory, and outputs go there, in vectors too. Second half: *cp.async*, a copy from global to shared memory
// that passes through no register, and that nobody waits for until wait_copies(). There are two slabs: while
// one is multiplied, the other fills. One barrier a slab is enough: whoever passes it knows that the next
// slab is there and that the last one is done with.
//
// A vector begins at a multiple of 16 bytes. So rows of the slab have 20 words (4 rows apart is 16 banks
// apart, which suits the copies). Where filters or maps are no multiple of four long, as in many a first
// layer (3 · 3 · 3 = 27 terms), single words are moved.
//
// Look at: requests, a quarter of rung 4's. A request of 16 bytes a thread takes four turns of shared memory,
// so there are as many wavefronts for the cells as before; but for the filters, of which eight neighbours want
// the same, two turns are enough (kernels/sim/cost.h), and there are half as many. How much waiting the second
// half hides, no counter of traffic shows.
//
// Bytes for a multiply-add: as before, 0.125 from global and 1 from shared memory.
#include "kernels/conv2d/ladder/ladder.h"
#include "kernels/conv2d/ladder/sizes.h"
#include "kernels/device/async_copy.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/shared.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kTile = 64;   // channels and pixels of a block
constexpr int kDepth = 16;  // terms of a slab
constexpr int kEach = 8;    // channels and pixels of a thread
constexpr int kSide = kTile / kEach;

struct Slab {
  alignas(16) float filters[kTile][kDepth + 4];  // (channel, term)
  alignas(16) float cells[kDepth][kTile];        // (term, pixel)
};
struct Slabs {
  Slab of[2];
};

// Which arrays have whole vectors.
struct Vectors4 {
  bool filters, y;
};

// What a block fetches from.
struct Source {
  const float* maps;     // of this thread's pixel: (C/G, H, W)
  Window at;             // that pixel's window
  const float* filters;  // of the tile's channels: (rows, terms)
  int rows;
};

// Queues the copies of terms t0 … t0 + 15: the cells of one pixel a thread, and 4 threads side by side 16
// terms of a filter.
LOUPE_DEVICE void fill(Slab& slab, const Sizes& s, const Source& from, int t0, bool vectors) {
  const int thread = thread_number();
  LOUPE_UNROLL
  for (int t = 0; t < kDepth; ++t) {
    const int cell = s.cell(from.at, t0 + t);
    copy_async<4>(&slab.cells[t][thread], from.maps + (cell >= 0 ? cell : 0), cell >= 0);
  }
  const int t = thread % 4 * 4, first = thread / 4 * 4;
  LOUPE_UNROLL
  for (int row = first; row < first + 4; ++row) {
    const float* filter = from.filters + (row < from.rows ? int64_t{row} * s.terms : 0);
    if (vectors) {
      const bool wanted = row < from.rows && t0 + t < s.terms;
      copy_async<16>(&slab.filters[row][t], wanted ? filter + t0 + t : filter, wanted);
    } else {
      for (int i = t; i < t + 4; ++i) {
        const bool wanted = row < from.rows && t0 + i < s.terms;
        copy_async<4>(&slab.filters[row][i], wanted ? filter + t0 + i : filter, wanted);
      }
    }
  }
}

LOUPE_DEVICE void multiply(const Slab& slab, float (&sum)[kEach][kEach]) {
  const int tx = threadIdx.x, ty = threadIdx.y;
  LOUPE_UNROLL
  for (int t = 0; t < kDepth; t += 4) {
    Float4 f[kEach];
    LOUPE_UNROLL
    for (int i = 0; i < kEach; ++i) f[i] = load_vector<4>(&slab.filters[ty + i * kSide][t]);
    LOUPE_UNROLL
    for (int u = 0; u < 4; ++u) {
      Float4 v[kEach / 4];
      LOUPE_UNROLL
      for (int j = 0; j < kEach / 4; ++j) v[j] = load_vector<4>(&slab.cells[t + u][4 * (tx + j * kSide)]);
      LOUPE_UNROLL
      for (int i = 0; i < kEach; ++i) LOUPE_UNROLL
      for (int j = 0; j < kEach; ++j) sum[i][j] = fused(f[i][u], v[j / 4][j % 4], sum[i][j]);
    }
  }
}

LOUPE_KERNEL conv2d_rung5_kernel(Sizes s, Vectors4 vectors, const float* x, const float* weight,
                                 const float* bias, float* y) {
  auto& slabs = shared_storage<Slabs>();
  const int tiles = (s.group_k + kTile - 1) / kTile;
  const int group = blockIdx.y / tiles, first_row = blockIdx.y % tiles * kTile;
  const int first_k = group * s.group_k + first_row, rows = s.group_k - first_row;
  const int first_p = blockIdx.x * kTile;
  const Window at = s.window(first_p + thread_number());
  const Source from{x + s.maps(at, group), at, weight + int64_t{first_k} * s.terms, rows};

  float sum[kEach][kEach] = {};
  fill(slabs.of[0], s, from, 0, vectors.filters);
  commit_copies();
  for (int t0 = 0, now = 0; t0 < s.terms; t0 += kDepth, now = 1 - now) {
    wait_copies<0>();
    sync_threads();
    if (t0 + kDepth < s.terms) fill(slabs.of[1 - now], s, from, t0 + kDepth, vectors.filters);
    commit_copies();
    multiply(slabs.of[now], sum);
  }
  LOUPE_UNROLL
  for (int j = 0; j < kEach; ++j) {
    const int p = first_p + 4 * (threadIdx.x + j / 4 * kSide) + j % 4;
    if (p >= s.pixels || (vectors.y && j % 4)) continue;
    const Window to = s.window(p);
    LOUPE_UNROLL
    for (int i = 0; i < kEach; ++i) {
      const int row = threadIdx.y + i * kSide;
      if (row >= rows) continue;
      const float b = bias ? bias[first_k + row] : 0;
      float* out = y + s.output(to, first_k + row);
      if (!vectors.y)
        *out = sum[i][j] + b;
      else if (j % 4 == 0)
        store_vector<4>(out,
                        Float4{{sum[i][j] + b, sum[i][j + 1] + b, sum[i][j + 2] + b, sum[i][j + 3] + b}});
    }
  }
}

bool starts_a_vector(const float* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

void conv2d_rung5(Stream stream, ConvSizes sizes, const float* x, const float* weight, const float* bias,
                  float* y) {
  const Sizes s(sizes);
  const Vectors4 vectors{s.terms % 4 == 0 && starts_a_vector(weight), s.map % 4 == 0 && starts_a_vector(y)};
  launch({{blocks_for(s.pixels, kTile), blocks_for(s.group_k, kTile) * s.groups}, {kSide, kSide}, 0, stream},
         conv2d_rung5_kernel, s, vectors, x, weight, bias, y);
}

LOUPE_EXPORT(conv2d_rung5);

}  // namespace loupe::LOUPE_TARGET
