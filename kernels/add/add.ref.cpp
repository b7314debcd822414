#include "kernels/add/add.h"

namespace loupe::ref {

template <typename T>
void add(const T* a, const T* b, T* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

template void add(const float*, const float*, float*, int64_t);
template void add(const double*, const double*, double*, int64_t);

}  // namespace loupe::ref
