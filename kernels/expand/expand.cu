// The sum over a batch on a GPU, 16 bytes a thread, one image after the other.
//
// Floor: 4 bytes read an element of dL/dy.
#include "kernels/expand/expand.h"

#include "kernels/device/export.h"
#include "kernels/device/launch.h"
#include "kernels/device/memory.h"

namespace loupe::LOUPE_TARGET {

namespace {

constexpr int kThreads = 256;

template <int Width>
LOUPE_KERNEL sum_over_batch_kernel(const float* gy, float* gx, int64_t n, int64_t image) {
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * Width;
  if (i >= image) return;
  auto sum = load_vector<Width>(gy + i);
  for (int64_t b = 1; b < n; ++b) {
    const auto next = load_vector<Width>(gy + b * image + i);
    for (int k = 0; k < Width; ++k) sum[k] += next[k];
  }
  store_vector(gx + i, sum);
}

}  // namespace

void sum_over_batch(Stream stream, const float* gy, float* gx, int64_t n, int64_t image) {
  const bool whole = image % 4 == 0;
  launch({{blocks_for(image, kThreads * (whole ? 4 : 1))}, {kThreads}, 0, stream},
         whole ? sum_over_batch_kernel<4> : sum_over_batch_kernel<1>, gy, gx, n, image);
}

LOUPE_EXPORT(sum_over_batch);

}  // namespace loupe::LOUPE_TARGET
