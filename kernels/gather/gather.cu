// Rows by their numbers on a GPU. Forward: a thread an element. The vjp: a warp has a row of dL/dx (128
// numbers of it), goes through the indices 32 at a time, and adds those rows of dL/dy that were read from its
// own, in their order: nothing is written twice, and there are no atomics.
//
// Floor: forward 4 bytes read and 4 written an element; the vjp reads every index once a row of x besides.
#include "kernels/gather/gather.h"

#include "kernels/device/cells.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"
#include "kernels/device/memory.h"
#include "kernels/device/warp.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kWarps = 8, kPerLane = 4,
              kWidth = kWarp * kPerLane;  // rows of a block; numbers of a row for a warp

LOUPE_KERNEL gather_kernel(Cells elements, GatherSizes s, const float* x, const int32_t* indices, float* y) {
  int64_t row;
  int i;
  if (!elements.find(row, i)) return;
  const int64_t o = row / s.picks;
  const int32_t index = load_readonly(indices + (row - o * s.picks));
  const bool inside = index >= 0 && index < s.count;
  const float none = minus_infinity() - minus_infinity();  // NaN
  y[row * s.inner + i] = inside ? x[(o * s.count + index) * s.inner + i] : none;
}

LOUPE_KERNEL gather_vjp_kernel(GatherSizes s, const float* gy, const int32_t* indices, float* gx) {
  const int64_t parts = (s.inner + kWidth - 1) / kWidth, row = blockIdx.x / parts * kWarps + warp_id();
  if (row >= s.outer * s.count) return;
  const int64_t o = row / s.count, own = row - o * s.count, first = blockIdx.x % parts * kWidth + lane_id();
  float sum[kPerLane] = {};
  for (int64_t base = 0; base < s.picks; base += kWarp) {
    const int64_t k = base + lane_id();
    uint32_t mine = ballot(k < s.picks && load_readonly(indices + k) == own);
    for (int bit = 0; mine != 0; ++bit, mine >>= 1) {
      if (!(mine & 1)) continue;
      const float* from = gy + (o * s.picks + base + bit) * s.inner;
      for (int p = 0; p < kPerLane; ++p)
        if (first + p * kWarp < s.inner) sum[p] += from[first + p * kWarp];
    }
  }
  for (int p = 0; p < kPerLane; ++p)
    if (first + p * kWarp < s.inner) gx[row * s.inner + first + p * kWarp] = sum[p];
}

}  // namespace

void gather(Stream stream, const GatherSizes& s, const float* x, const int32_t* indices, float* y) {
  const Cells elements(s.outer * s.picks, s.inner);
  launch(elements.launch_in(stream), gather_kernel, elements, s, x, indices, y);
}

void gather_vjp(Stream stream, const GatherSizes& s, const float* gy, const int32_t* indices, float* gx) {
  const int64_t blocks = (s.outer * s.count + kWarps - 1) / kWarps * ((s.inner + kWidth - 1) / kWidth);
  launch({{blocks_for(blocks, 1)}, {kWarp * kWarps}, 0, stream}, gather_vjp_kernel, s, gy, indices, gx);
}

LOUPE_EXPORT(gather);
LOUPE_EXPORT(gather_vjp);

}  // namespace loupe::LOUPE_TARGET
