// The host's kernel: copies of rows, and sums over the images of one.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/position_embedding/position_embedding.h"

namespace loupe::host {

template <typename T>
void position_embedding(const PositionSizes& s, const T* table, T* y) {
  const int64_t image = s.length * s.width;
  parallel_for(s.images, [=](int64_t n) { std::copy_n(table + s.offset * s.width, image, y + n * image); });
}

template <typename T>
void position_embedding_vjp(const PositionSizes& s, const T* gy, T* grad) {
  parallel_for(s.count, [=](int64_t row) {
    T* to = grad + row * s.width;
    std::fill_n(to, s.width, T{0});
    const int64_t l = row - s.offset;
    if (l < 0 || l >= s.length) return;
    for (int64_t n = 0; n < s.images; ++n)
      for (int64_t i = 0; i < s.width; ++i) to[i] += gy[(n * s.length + l) * s.width + i];
  });
}

template void position_embedding(const PositionSizes&, const float*, float*);
template void position_embedding(const PositionSizes&, const double*, double*);
template void position_embedding_vjp(const PositionSizes&, const float*, float*);
template void position_embedding_vjp(const PositionSizes&, const double*, double*);

}  // namespace loupe::host
