#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/softmax/softmax.h"

namespace loupe::ref {

template <typename T>
void softmax(bool log, const T* x, T* y, int64_t n, int64_t c, int64_t pixels) {
  parallel_for(n * pixels, [=](int64_t i) {
    const int64_t start = i / pixels * c * pixels + i % pixels;
    const T* xi = x + start;
    T* yi = y + start;
    T max = xi[0];
    for (int64_t k = 1; k < c; ++k) max = std::max(max, xi[k * pixels]);
    T sum = 0;
    for (int64_t k = 0; k < c; ++k) sum += std::exp(xi[k * pixels] - max);
    for (int64_t k = 0; k < c; ++k) {
      const T shifted = xi[k * pixels] - max;
      yi[k * pixels] = log ? shifted - std::log(sum) : std::exp(shifted) / sum;
    }
  });
}

template <typename T>
void softmax_vjp(bool log, const T* y, const T* gy, T* gx, int64_t n, int64_t c, int64_t pixels) {
  parallel_for(n * pixels, [=](int64_t i) {
    const int64_t start = i / pixels * c * pixels + i % pixels;
    const T *yi = y + start, *gi = gy + start;
    T sum = 0;
    for (int64_t k = 0; k < c; ++k) sum += log ? gi[k * pixels] : gi[k * pixels] * yi[k * pixels];
    for (int64_t k = 0; k < c * pixels; k += pixels) {
      gx[start + k] = log ? gi[k] - std::exp(yi[k]) * sum : yi[k] * (gi[k] - sum);
    }
  });
}

template void softmax(bool, const float*, float*, int64_t, int64_t, int64_t);
template void softmax(bool, const double*, double*, int64_t, int64_t, int64_t);
template void softmax_vjp(bool, const float*, const float*, float*, int64_t, int64_t, int64_t);
template void softmax_vjp(bool, const double*, const double*, double*, int64_t, int64_t, int64_t);

}  // namespace loupe::ref
