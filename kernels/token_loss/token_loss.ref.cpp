#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/token_loss/token_loss.h"

namespace loupe::ref {

namespace {

// m and S of a row of logits.
template <typename T>
struct Exponentials {
  T max, sum = 0;
  Exponentials(const T* z, int64_t classes) : max(*std::max_element(z, z + classes)) {
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(z[k] - max);
  }
};

}  // namespace

template <typename T>
void token_loss(const T* z, const int32_t* t, T* loss, int64_t rows, int64_t classes) {
  parallel_for(rows, [=](int64_t i) {
    const T* zi = z + i * classes;
    const Exponentials<T> e(zi, classes);
    loss[i] = (e.max - zi[t[i]]) + std::log(e.sum);
  });
}

template <typename T>
void token_loss_vjp(const T* z, const int32_t* t, const T* g, T* gz, int64_t rows, int64_t classes) {
  parallel_for(rows, [=](int64_t i) {
    const T* zi = z + i * classes;
    const Exponentials<T> e(zi, classes);
    for (int64_t k = 0; k < classes; ++k)
      gz[i * classes + k] = g[i] * (std::exp(zi[k] - e.max) / e.sum - (k == t[i] ? 1 : 0));
  });
}

template void token_loss(const float*, const int32_t*, float*, int64_t, int64_t);
template void token_loss(const double*, const int32_t*, double*, int64_t, int64_t);
template void token_loss_vjp(const float*, const int32_t*, const float*, float*, int64_t, int64_t);
template void token_loss_vjp(const double*, const int32_t*, const double*, double*, int64_t, int64_t);

}  // namespace loupe::ref
