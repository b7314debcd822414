#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/lrn/lrn.h"

namespace loupe::ref {

namespace {

// d of channel `c` at a pixel; x points to the pixel in channel 0.
template <typename T>
T denominator(const Lrn& a, const T* x, int64_t c, int64_t channels, int64_t pixels) {
  const int64_t begin = std::max<int64_t>(0, c - a.size / 2),
                end = std::min(channels, c + (a.size - 1) / 2 + 1);
  T sum = 0;
  for (int64_t i = begin; i < end; ++i) sum += x[i * pixels] * x[i * pixels];
  return static_cast<T>(a.k) + static_cast<T>(a.alpha / static_cast<double>(a.size)) * sum;
}

}  // namespace

template <typename T>
void lrn(const Lrn& a, const T* x, T* y, int64_t n, int64_t c, int64_t pixels) {
  parallel_for(n * c, [=](int64_t plane) {
    const int64_t channel = plane % c;
    const T* image = x + (plane - channel) * pixels;
    for (int64_t p = 0; p < pixels; ++p)
      y[plane * pixels + p] = x[plane * pixels + p] /
                              std::pow(denominator(a, image + p, channel, c, pixels), static_cast<T>(a.beta));
  });
}

template <typename T>
void lrn_vjp(const Lrn& a, const T* x, const T* gy, T* gx, int64_t n, int64_t c, int64_t pixels) {
  const T beta = static_cast<T>(a.beta);
  const T factor = static_cast<T>(2 * a.alpha * a.beta / static_cast<double>(a.size));
  parallel_for(n * c, [=](int64_t plane) {
    const int64_t channel = plane % c, image = (plane - channel) * pixels;
    const int64_t begin = std::max<int64_t>(0, channel - (a.size - 1) / 2);
    const int64_t end = std::min(c, channel + a.size / 2 + 1);
    for (int64_t p = 0; p < pixels; ++p) {
      const T* xp = x + image + p;
      const T* gp = gy + image + p;
      T through = 0;  // by way of the denominators of the channels around
      for (int64_t i = begin; i < end; ++i)
        through += gp[i * pixels] * xp[i * pixels] / std::pow(denominator(a, xp, i, c, pixels), beta + 1);
      gx[plane * pixels + p] = gp[channel * pixels] / std::pow(denominator(a, xp, channel, c, pixels), beta) -
                               factor * xp[channel * pixels] * through;
    }
  });
}

template void lrn(const Lrn&, const float*, float*, int64_t, int64_t, int64_t);
template void lrn(const Lrn&, const double*, double*, int64_t, int64_t, int64_t);
template void lrn_vjp(const Lrn&, const float*, const float*, float*, int64_t, int64_t, int64_t);
template void lrn_vjp(const Lrn&, const double*, const double*, double*, int64_t, int64_t, int64_t);

}  // namespace loupe::ref
