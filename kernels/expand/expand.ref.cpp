#include "kernels/expand/expand.h"

namespace loupe::ref {

template <typename T>
void sum_over_batch(const T* gy, T* gx, int64_t n, int64_t image) {
  for (int64_t i = 0; i < image; ++i) {
    T sum = 0;
    for (int64_t b = 0; b < n; ++b) sum += gy[b * image + i];
    gx[i] = sum;
  }
}

template void sum_over_batch(const float*, float*, int64_t, int64_t);
template void sum_over_batch(const double*, double*, int64_t, int64_t);

}  // namespace loupe::ref
