// Rung 3 of conv2d: a block reads what its threads have in common once, into shared memory.
//
// Slow in rung 2: a thread still goes to global memory for both factors of every product, though its
// neighbours need the same ones: a weight serves all pixels, a cell serves all channels.
//
// The idea: a block of 16 × 16 threads makes a *tile* of 16 channels × 16 pixels. It cuts the sum behind an
// output into slabs of 16 terms. For each slab the threads fetch 16 × 16 cells and 16 × 16 weights, one of
// each a thread; wait for each other; and then multiply from shared memory, 16 products for the two reads of
// global memory. (The loops over c, r and q become one over terms t; Sizes::cell says where the cell of term
// t is.)
//
// There are two waits: nobody multiplies before the slab is full, and nobody fills it again while another
// still reads. A thread whose channel or pixel does not exist must not leave, since the others wait for it:
// it fetches zeros.
//
// Look at: the reads of global memory are few now, those of shared memory many. They have no bank conflicts:
// the 32 threads of a warp (two values of ty, 16 of tx) read at once two filter values, whose rows are 16
// words apart, and 16 cells side by side, which both halves share.
//
// Bytes for a multiply-add, from global memory: 5 to 7 before, now (16 + 16) · 4 / 16² = 0.5. From shared
// memory: 8, and that is the next limit. In the time that four warps take for a multiply-add each, a
// multiprocessor serves one request to shared memory, of up to 128 bytes; here four warps make eight.
#include "kernels/conv2d/ladder/ladder.h"
#include "kernels/conv2d/ladder/sizes.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/shared.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kTile = 16;  // channels and pixels of a block, and terms of a slab

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
    for (int t = 0; t < kTile; ++t) {
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
