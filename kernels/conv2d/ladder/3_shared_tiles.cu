// Rung 3 of conv2d: a block reads what its threads have in common once, into shared memory.
//
// Slow in rung 2: a thread still goes to global memory for both factors of every product, though its
// neighbours need the same ones: a weight serves all pixels, a cell serves all channels. The idea: a block of
// 32 × 32 threads makes a *tile* of 32 channels × 32 pixels. It cuts the sum into slabs of 32 terms. For each
// slab the threads first fetch 32 × 32 weights and 32 × 32 cells, one of each a thread; wait for each other;
// and then multiply from shared memory, 32 products a thread for its two reads. (The loops over c, r and q
// become one over terms t; Sizes::cell says which cell term t of a window is.)
//
// A thread whose pixel or channel does not exist must not leave: the others wait for it at sync_threads(). It
// fetches zeros. And there are two waits: nobody multiplies before the slab is full, nobody fills it while
// another still reads.
//
// Look at: the reads of global memory are few now, and those of shared memory many. These have no bank
// conflicts: in a warp (one ty) all 32 threads read one filter value, which is one word, and 32 cells side by
// side, which are 32 banks.
//
// Bytes from global memory for a multiply-add, 5 to 7 before: (32 + 32) · 4 / 32² = 0.25. From shared
// memory: 8. That is the next limit: an SM reads 128 bytes of shared memory in the time of 128 multiply-adds,
// that is 1 byte for each.
#include "kernels/conv2d/ladder/ladder.h"
#include "kernels/conv2d/ladder/sizes.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/shared.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kTile = 32;  // channels and pixels of a block, and terms of a slab

struct Slab {
  float filters[kTile][kTile];  // (channel, term)
  float cells[kTile][kTile];    // (term, pixel)
};

LOUPE_KERNEL conv2d_rung3_kernel(Sizes s, const float* x, const float* weight, const float* bias, float* y) {
  auto& slab = shared_storage<Slab>();
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int tiles = (s.group_k + kTile - 1) / kTile;  // of the channels of a group
  const int group = blockIdx.y / tiles, row = blockIdx.y % tiles * kTile + ty;
  const int k = group * s.group_k + row;
  const int p = blockIdx.x * kTile + tx;
  const Window at = s.window(p);
  const float* maps = x + s.maps(at, group);
  const float* filter = weight + int64_t{k} * s.terms;

  float sum = 0;
  for (int t0 = 0; t0 < s.terms; t0 += kTile) {
    const int cell = s.cell(at, t0 + ty);
    slab.cells[ty][tx] = cell >= 0 ? maps[cell] : 0;
    const bool wanted = row < s.group_k && t0 + tx < s.terms;
    slab.filters[ty][tx] = wanted ? filter[t0 + tx] : 0;
    sync_threads();
    const int depth = row >= s.group_k ? 0 : s.terms - t0 < kTile ? s.terms - t0 : kTile;
    for (int t = 0; t < depth; ++t) {
      const float f = slab.filters[ty][t];
      const float v = slab.cells[t][tx];
      sum = fused(f, v, sum);
    }
    sync_threads();
  }
  if (row >= s.group_k || p >= s.pixels) return;
  if (bias) sum += bias[k];
  y[s.output(at, k)] = sum;
}

}  // namespace

void conv2d_rung3(Stream stream, ConvSizes sizes, const float* x, const float* weight, const float* bias,
                  float* y) {
  const Sizes s(sizes);
  launch({{blocks_for(s.pixels, kTile), blocks_for(s.group_k, kTile) * s.groups}, {kTile, kTile}, 0, stream},
         conv2d_rung3_kernel, s, x, weight, bias, y);
}

LOUPE_EXPORT(conv2d_rung3);

}  // namespace loupe::LOUPE_TARGET
