#include "kernels/gather/gather.h"

#include <algorithm>

namespace loupe::ref {

template <typename T>
void gather(const GatherSizes& s, const T* x, const int32_t* indices, T* y) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t k = 0; k < s.picks; ++k)
      for (int64_t i = 0; i < s.inner; ++i)
        y[(o * s.picks + k) * s.inner + i] = x[(o * s.count + indices[k]) * s.inner + i];
}

template <typename T>
void gather_vjp(const GatherSizes& s, const T* gy, const int32_t* indices, T* gx) {
  std::fill(gx, gx + s.outer * s.count * s.inner, T{0});
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t k = 0; k < s.picks; ++k)
      for (int64_t i = 0; i < s.inner; ++i)
        gx[(o * s.count + indices[k]) * s.inner + i] += gy[(o * s.picks + k) * s.inner + i];
}

template void gather(const GatherSizes&, const float*, const int32_t*, float*);
template void gather(const GatherSizes&, const double*, const int32_t*, double*);
template void gather_vjp(const GatherSizes&, const float*, const int32_t*, float*);
template void gather_vjp(const GatherSizes&, const double*, const int32_t*, double*);

}  // namespace loupe::ref
