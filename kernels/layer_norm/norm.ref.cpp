#include <cmath>
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/layer_norm/norm.h"

namespace loupe::ref {

namespace {

// One group: element l lies at [l · step].
template <typename T>
struct Group {
  int64_t o, start, step;
  T mean, r;
  Group(const Norm& n, int64_t i, const T* record = nullptr)
      : o(i / n.inner), start(o * n.length * n.inner + i % n.inner), step(n.inner), mean(0), r(0) {
    if (!record) return;
    if (n.centred) mean = record[i * n.kept()];
    r = record[(i + 1) * n.kept() - 1];
  }
};

}  // namespace

template <typename T>
void norm(const Norm& n, const T* x, const T* weight, const T* bias, T* y, T* record) {
  parallel_for(n.outer * n.inner, [&](int64_t i) {
    Group<T> g(n, i);
    const T* xg = x + g.start;
    const auto count = static_cast<T>(n.length);
    if (n.centred) {
      for (int64_t l = 0; l < n.length; ++l) g.mean += xg[l * g.step];
      g.mean /= count;
    }
    T squares = 0;
    for (int64_t l = 0; l < n.length; ++l) squares += (xg[l * g.step] - g.mean) * (xg[l * g.step] - g.mean);
    g.r = 1 / std::sqrt(squares / count + static_cast<T>(n.eps));
    if (record) {
      if (n.centred) record[i * n.kept()] = g.mean;
      record[(i + 1) * n.kept() - 1] = g.r;
    }
    for (int64_t l = 0; l < n.length; ++l) {
      const int64_t w = n.weight_of(g.o, l);
      const T normalised = (xg[l * g.step] - g.mean) * g.r;
      y[g.start + l * g.step] = normalised * (weight ? weight[w] : T(1)) + (bias ? bias[w] : T(0));
    }
  });
}

template <typename T>
void norm_vjp_input(const Norm& n, const T* x, const T* weight, const T* record, const T* gy, T* gx) {
  parallel_for(n.outer * n.inner, [&](int64_t i) {
    const Group<T> g(n, i, record);
    const auto signal = [&](int64_t l) {
      return gy[g.start + l * g.step] * (weight ? weight[n.weight_of(g.o, l)] : T(1));
    };
    const auto normalised = [&](int64_t l) { return (x[g.start + l * g.step] - g.mean) * g.r; };
    T sum = 0, products = 0;
    for (int64_t l = 0; l < n.length; ++l) {
      if (n.centred) sum += signal(l);
      products += signal(l) * normalised(l);
    }
    const auto count = static_cast<T>(n.length);
    for (int64_t l = 0; l < n.length; ++l)
      gx[g.start + l * g.step] = g.r * (signal(l) - sum / count - normalised(l) * (products / count));
  });
}

template <typename T>
void norm_vjp_weight(const Norm& n, const T* x, const T* record, const T* gy, T* gweight) {
  std::fill_n(gweight, n.weights(), T(0));
  for (int64_t i = 0; i < n.outer * n.inner; ++i) {
    const Group<T> g(n, i, record);
    for (int64_t l = 0; l < n.length; ++l)
      gweight[n.weight_of(g.o, l)] += gy[g.start + l * g.step] * ((x[g.start + l * g.step] - g.mean) * g.r);
  }
}

template <typename T>
void norm_vjp_bias(const Norm& n, const T* gy, T* gbias) {
  std::fill_n(gbias, n.weights(), T(0));
  for (int64_t i = 0; i < n.outer * n.inner; ++i) {
    const Group<T> g(n, i);
    for (int64_t l = 0; l < n.length; ++l) gbias[n.weight_of(g.o, l)] += gy[g.start + l * g.step];
  }
}

#define LOUPE_INSTANTIATE(T)                                                             \
  template void norm(const Norm&, const T*, const T*, const T*, T*, T*);                 \
  template void norm_vjp_input(const Norm&, const T*, const T*, const T*, const T*, T*); \
  template void norm_vjp_weight(const Norm&, const T*, const T*, const T*, T*);          \
  template void norm_vjp_bias(const Norm&, const T*, T*);
LOUPE_INSTANTIATE(float)
LOUPE_INSTANTIATE(double)
#undef LOUPE_INSTANTIATE

}  // namespace loupe::ref
