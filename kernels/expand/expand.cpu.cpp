// The sum over a batch on the CPU: the images are added one after the other into a piece of the result that
// stays in the L1 cache. Elements are added apart from each other, so the compiler's vectors change no bit.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/expand/expand.h"

namespace loupe::cpu {

void sum_over_batch(const float* gy, float* gx, int64_t n, int64_t image) {
  constexpr int64_t kPiece = 1 << 11;
  parallel_for((image + kPiece - 1) / kPiece, [=](int64_t piece) {
    const int64_t begin = piece * kPiece, end = std::min(image, begin + kPiece);
    std::copy(gy + begin, gy + end, gx + begin);
    for (int64_t b = 1; b < n; ++b)
      for (int64_t i = begin; i < end; ++i) gx[i] += gy[b * image + i];
  });
}

}  // namespace loupe::cpu
