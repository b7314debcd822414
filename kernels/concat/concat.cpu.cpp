// Channels are copied block by block of the destination. Where a block of y is a block of x (channel counts
// that are multiples of 16, as in nearly every network) it is one memcpy; otherwise lanes are copied pixel by
// pixel.
#include <algorithm>
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/concat/concat.h"

namespace loupe::cpu {

void copy_channels(const ChannelRange& r, const float* x, float* y, int64_t n, int64_t pixels) {
  const int64_t first = r.to / kBlock, last = (r.to + r.count - 1) / kBlock, tasks = last - first + 1;
  const int64_t block = pixels * kBlock, x_image = blocks(r.source) * block,
                y_image = blocks(r.target) * block;
  parallel_for(n * tasks, [=](int64_t task) {
    const int64_t b = task / tasks, k = first + task % tasks;
    const float* xb = x + b * x_image;
    float* yk = y + b * y_image + k * block;
    const int64_t begin = std::max(r.to, k * kBlock), end = std::min(r.to + r.count, (k + 1) * kBlock);
    const int64_t source = begin - r.to + r.from;  // x's channel that becomes y's channel `begin`
    if (end - begin == kBlock && source % kBlock == 0) {
      std::memcpy(yk, xb + source * pixels, static_cast<size_t>(block) * sizeof(float));
      return;
    }
    for (int64_t c = begin; c < end; ++c) {
      const int64_t s = source + c - begin;
      const float* from = xb + s / kBlock * block + s % kBlock;
      for (int64_t p = 0; p < pixels; ++p) yk[p * kBlock + c % kBlock] = from[p * kBlock];
    }
    if (end == r.target)
      for (int64_t p = 0; p < pixels; ++p)
        std::fill(yk + p * kBlock + (end - k * kBlock), yk + (p + 1) * kBlock, 0.0f);
  });
}

}  // namespace loupe::cpu
