// Rung 2 of conv2d: neighbouring threads make neighbouring pixels.
//
// Slow in rung 1: a warp reads 32 weights from 32 places, and global memory moves a sector of 32 bytes for
// each.
//
// The idea: exchange the roles of threadIdx.x and threadIdx.y, and nothing else. Now a warp makes 32
// neighbouring pixels of one channel: it reads one weight, the same for all, and 32 cells that lie side by
// side, and it writes 32 outputs that lie side by side. That is called *coalesced*.
//
// Look at: sectors of the same three lines. Ideal is 1 for the weight and 4 for the 32 cells. Where these do
// not begin at a sector's edge, or go on in the next row of the map, it is one or two more. With a stride of
// 2 every other cell of a sector is for nobody.
//
// Bytes that a multiply-add moves from global memory: 32 + 1 before, now 1 for the weight and 4 to 6 for the
// cell.
#include "kernels/conv2d/ladder/ladder.h"
#include "kernels/conv2d/ladder/sizes.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kNeighbours = 32, kOthers = 8;  // threads of a block

LOUPE_KERNEL conv2d_rung2_kernel(Sizes s, const float* x, const float* weight, const float* bias, float* y) {
  const int p = blockIdx.x * kNeighbours + threadIdx.x;  // the output's pixel
  const int k = blockIdx.y * kOthers + threadIdx.y;      // and its channel
  if (k >= s.k || p >= s.pixels) return;
  const Window at = s.window(p);
  const float* maps = x + s.maps(at, k / s.group_k);    // (C/G, H, W)
  const float* filter = weight + int64_t{k} * s.terms;  // (C/G, kernel.h, kernel.w)

  float sum = 0;
  for (int c = 0; c < s.group_c; ++c)
    for (int r = 0; r < s.kernel_h; ++r)
      for (int q = 0; q < s.kernel_w; ++q) {
        const int ih = at.top + r * s.dilation_h, iw = at.left + q * s.dilation_w;
        if (ih < 0 || ih >= s.h || iw < 0 || iw >= s.w) continue;
        const float f = filter[(c * s.kernel_h + r) * s.kernel_w + q];
        const float v = maps[(c * s.h + ih) * s.w + iw];
        sum = fused(f, v, sum);
      }
  if (bias) sum += bias[k];
  y[s.output(at, k)] = sum;
}

}  // namespace

void conv2d_rung2(Stream stream, ConvSizes sizes, const float* x, const float* weight, const float* bias,
                  float* y) {
  const Sizes s(sizes);
  launch({{blocks_for(s.pixels, kNeighbours), blocks_for(s.k, kOthers)}, {kNeighbours, kOthers}, 0, stream},
         conv2d_rung2_kernel, s, x, weight, bias, y);
}

LOUPE_EXPORT(conv2d_rung2);

}  // namespace loupe::LOUPE_TARGET
