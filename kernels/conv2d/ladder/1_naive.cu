// Rung 1 of conv2d: the textbook loops, one thread for each output.
//
// The loops over images, channels and pixels are gone: every thread finds its output from its number, and all
// of them run at once. What is left inside is the sum behind one output. Threads that stand beside each other
// (threadIdx.x) make neighbouring *channels* of one pixel.
//
// Look at: sectors of the two reads in the loop, and of the write. A warp, 32 neighbours, asks for one cell
// of x 32 times over, which is one sector; but for 32 weights that lie a whole filter apart, which are 32
// sectors of 32 bytes with 4 useful bytes in each. The write is as bad: neighbouring channels lie a map
// apart.
//
// Bytes that a multiply-add moves from global memory, in whole sectors: 32 for the weight, 1 for the cell.
#include "kernels/conv2d/ladder/ladder.h"
#include "kernels/conv2d/ladder/sizes.h"
#include "kernels/device/export.h"
#include "kernels/device/math.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kNeighbours = 32, kOthers = 8;  // threads of a block

LOUPE_KERNEL conv2d_rung1_kernel(Sizes s, const float* x, const float* weight, const float* bias, float* y) {
  const int k = blockIdx.y * kNeighbours + threadIdx.x;  // the output's channel
  const int p = blockIdx.x * kOthers + threadIdx.y;      // and its pixel
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

void conv2d_rung1(Stream stream, ConvSizes sizes, const float* x, const float* weight, const float* bias,
                  float* y) {
  const Sizes s(sizes);
  launch({{blocks_for(s.pixels, kOthers), blocks_for(s.k, kNeighbours)}, {kNeighbours, kOthers}, 0, stream},
         conv2d_rung1_kernel, s, x, weight, bias, y);
}

LOUPE_EXPORT(conv2d_rung1);

}  // namespace loupe::LOUPE_TARGET
