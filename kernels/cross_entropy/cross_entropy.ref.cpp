#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace loupe::ref {

namespace {

// m and S of a row of logits.
template <typename T>
struct Exponentials {
  T max, sum = 0;
  Exponentials(const T* z, int64_t c) : max(*std::max_element(z, z + c)) {
    for (int64_t k = 0; k < c; ++k) sum += std::exp(z[k] - max);
  }
};

}  // namespace

template <typename T>
void cross_entropy(const T* z, const T* t, T* loss, int64_t n, int64_t c) {
  parallel_for(n, [=](int64_t i) {
    const T *zi = z + i * c, *ti = t + i * c;
    const Exponentials<T> e(zi, c);
    T total = 0, distance = 0;
    for (int64_t k = 0; k < c; ++k) {
      total += ti[k];
      distance += ti[k] * (e.max - zi[k]);
    }
    loss[i] = distance + total * std::log(e.sum);
  });
}

template <typename T>
void cross_entropy_vjp_logits(const T* z, const T* t, const T* g, T* gz, int64_t n, int64_t c) {
  parallel_for(n, [=](int64_t i) {
    const T *zi = z + i * c, *ti = t + i * c;
    const Exponentials<T> e(zi, c);
    T total = 0;
    for (int64_t k = 0; k < c; ++k) total += ti[k];
    for (int64_t k = 0; k < c; ++k) gz[i * c + k] = g[i] * (total * std::exp(zi[k] - e.max) / e.sum - ti[k]);
  });
}

template <typename T>
void cross_entropy_vjp_targets(const T* z, const T* g, T* gt, int64_t n, int64_t c) {
  parallel_for(n, [=](int64_t i) {
    const T* zi = z + i * c;
    const Exponentials<T> e(zi, c);
    for (int64_t k = 0; k < c; ++k) gt[i * c + k] = g[i] * (e.max - zi[k] + std::log(e.sum));
  });
}

template void cross_entropy(const float*, const float*, float*, int64_t, int64_t);
template void cross_entropy(const double*, const double*, double*, int64_t, int64_t);
template void cross_entropy_vjp_logits(const float*, const float*, const float*, float*, int64_t, int64_t);
template void cross_entropy_vjp_logits(const double*, const double*, const double*, double*, int64_t,
                                       int64_t);
template void cross_entropy_vjp_targets(const float*, const float*, float*, int64_t, int64_t);
template void cross_entropy_vjp_targets(const double*, const double*, double*, int64_t, int64_t);

}  // namespace loupe::ref
