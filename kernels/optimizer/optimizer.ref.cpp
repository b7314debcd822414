#include <cmath>

#include "kernels/optimizer/optimizer.h"

namespace loupe::ref {

namespace {

// Σ(Δw)² and Σw².
struct Squares {
  double moved = 0, size = 0;
  template <typename T>
  void add(T before, T after) {
    const double move = after - before;
    moved += move * move;
    size += double{after} * after;
  }
  void store(double* squares) const {
    if (!squares) return;
    squares[0] = moved;
    squares[1] = size;
  }
};

}  // namespace

template <typename T>
void sgd_step(SgdFactors<T> f, int64_t n, T* w, const T* g, T* v, double* squares) {
  Squares sums;
  for (int64_t i = 0; i < n; ++i) {
    const T before = w[i];
    const T d = f.scale * g[i] + f.decay * w[i];
    v[i] = f.momentum * v[i] + d;
    w[i] -= f.rate * (f.nesterov ? d + f.momentum * v[i] : v[i]);
    sums.add(before, w[i]);
  }
  sums.store(squares);
}

template <typename T>
void adamw_step(AdamwFactors<T> f, int64_t n, T* w, const T* g, T* m, T* v, double* squares) {
  Squares sums;
  for (int64_t i = 0; i < n; ++i) {
    const T before = w[i], scaled = f.scale * g[i];
    m[i] = f.beta1 * m[i] + f.rest1 * scaled;
    v[i] = f.beta2 * v[i] + f.rest2 * (scaled * scaled);
    w[i] -= f.decay * w[i] + f.step * m[i] / (std::sqrt(v[i]) * f.root + f.eps);
    sums.add(before, w[i]);
  }
  sums.store(squares);
}

template <typename T>
double sum_of_squares(int64_t n, const T* x) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{x[i]} * x[i];
  return sum;
}

template void sgd_step(SgdFactors<float>, int64_t, float*, const float*, float*, double*);
template void sgd_step(SgdFactors<double>, int64_t, double*, const double*, double*, double*);
template void adamw_step(AdamwFactors<float>, int64_t, float*, const float*, float*, float*, double*);
template void adamw_step(AdamwFactors<double>, int64_t, double*, const double*, double*, double*, double*);
template double sum_of_squares(int64_t, const float*);
template double sum_of_squares(int64_t, const double*);

}  // namespace loupe::ref
