#include <cmath>

#include "kernels/batch_norm_training/batch_norm_training.h"
#include "kernels/common/parallel.h"

namespace loupe::ref {

namespace {

// Σ term(i) over the elements i of a channel.
template <typename T, typename Term>
T channel_sum(int64_t channel, int64_t n, int64_t c, int64_t pixels, const Term& term) {
  T sum = 0;
  for (int64_t b = 0; b < n; ++b)
    for (int64_t i = (b * c + channel) * pixels; i < (b * c + channel + 1) * pixels; ++i) sum += term(i);
  return sum;
}

}  // namespace

template <typename T>
void batch_norm_statistics(const T* x, T* mean, T* variance, int64_t n, int64_t c, int64_t pixels) {
  const T m = static_cast<T>(n * pixels);
  parallel_for(c, [=](int64_t channel) {
    const T middle = channel_sum<T>(channel, n, c, pixels, [=](int64_t i) { return x[i]; }) / m;
    mean[channel] = middle;
    variance[channel] =
        channel_sum<T>(channel, n, c, pixels, [=](int64_t i) { return (x[i] - middle) * (x[i] - middle); }) /
        m;
  });
}

template <typename T>
void batch_norm_training_vjp_input(const BatchNormParameters<T>& p, const T* x, const T* gy, T* gx, int64_t n,
                                   int64_t c, int64_t pixels) {
  const T m = static_cast<T>(n * pixels);
  parallel_for(c, [=](int64_t channel) {
    const T deviation = std::sqrt(p.variance[channel] + static_cast<T>(p.eps));
    const auto normalised = [=](int64_t i) { return (x[i] - p.mean[channel]) / deviation; };
    const T g_bias = channel_sum<T>(channel, n, c, pixels, [=](int64_t i) { return gy[i]; });
    const T g_weight =
        channel_sum<T>(channel, n, c, pixels, [=](int64_t i) { return gy[i] * normalised(i); });
    for (int64_t b = 0; b < n; ++b)
      for (int64_t i = (b * c + channel) * pixels; i < (b * c + channel + 1) * pixels; ++i)
        gx[i] = p.weight[channel] / deviation * (gy[i] - g_bias / m - normalised(i) * g_weight / m);
  });
}

#define LOUPE_INSTANTIATE(T)                                                                         \
  template void batch_norm_statistics(const T*, T*, T*, int64_t, int64_t, int64_t);                  \
  template void batch_norm_training_vjp_input(const BatchNormParameters<T>&, const T*, const T*, T*, \
                                              int64_t, int64_t, int64_t);
LOUPE_INSTANTIATE(float)
LOUPE_INSTANTIATE(double)
#undef LOUPE_INSTANTIATE

}  // namespace loupe::ref
