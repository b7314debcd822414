#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/common/parallel.h"

namespace loupe::ref {

namespace {

template <typename T>
T deviation(const BatchNormParameters<T>& p, int64_t channel) {
  return std::sqrt(p.variance[channel] + static_cast<T>(p.eps));
}

}  // namespace

template <typename T>
void batch_norm(const BatchNormParameters<T>& p, const T* x, T* y, int64_t n, int64_t c, int64_t pixels) {
  parallel_for(n * c, [=](int64_t plane) {
    const int64_t channel = plane % c;
    const T scale = p.weight[channel] / deviation(p, channel);
    for (int64_t i = plane * pixels; i < (plane + 1) * pixels; ++i)
      y[i] = (x[i] - p.mean[channel]) * scale + p.bias[channel];
  });
}

template <typename T>
void batch_norm_vjp_input(const BatchNormParameters<T>& p, const T* gy, T* gx, int64_t n, int64_t c,
                          int64_t pixels) {
  parallel_for(n * c, [=](int64_t plane) {
    const T scale = p.weight[plane % c] / deviation(p, plane % c);
    for (int64_t i = plane * pixels; i < (plane + 1) * pixels; ++i) gx[i] = gy[i] * scale;
  });
}

template <typename T>
void batch_norm_vjp_weight(const BatchNormParameters<T>& p, const T* x, const T* gy, T* g_weight, int64_t n,
                           int64_t c, int64_t pixels) {
  parallel_for(c, [=](int64_t channel) {
    T sum = 0;
    for (int64_t b = 0; b < n; ++b)
      for (int64_t i = (b * c + channel) * pixels; i < (b * c + channel + 1) * pixels; ++i)
        sum += gy[i] * (x[i] - p.mean[channel]);
    g_weight[channel] = sum / deviation(p, channel);
  });
}

template <typename T>
void batch_norm_vjp_bias(const T* gy, T* g_bias, int64_t n, int64_t c, int64_t pixels) {
  parallel_for(c, [=](int64_t channel) {
    T sum = 0;
    for (int64_t b = 0; b < n; ++b)
      for (int64_t i = (b * c + channel) * pixels; i < (b * c + channel + 1) * pixels; ++i) sum += gy[i];
    g_bias[channel] = sum;
  });
}

#define LOUPE_INSTANTIATE(T)                                                                          \
  template void batch_norm(const BatchNormParameters<T>&, const T*, T*, int64_t, int64_t, int64_t);   \
  template void batch_norm_vjp_input(const BatchNormParameters<T>&, const T*, T*, int64_t, int64_t,   \
                                     int64_t);                                                        \
  template void batch_norm_vjp_weight(const BatchNormParameters<T>&, const T*, const T*, T*, int64_t, \
                                      int64_t, int64_t);                                              \
  template void batch_norm_vjp_bias(const T*, T*, int64_t, int64_t, int64_t);
LOUPE_INSTANTIATE(float)
LOUPE_INSTANTIATE(double)
#undef LOUPE_INSTANTIATE

}  // namespace loupe::ref
