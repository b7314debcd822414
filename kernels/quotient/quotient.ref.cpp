// The host's kernel: one pass, in whatever layout (padding lanes are zeros, and stay so: |0| < least, and c is
// 0 there). Memory bound: 12 bytes read and 4 written an element.
#include "kernels/quotient/quotient.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"

namespace loupe::host {

namespace {
constexpr int64_t kChunk = 1 << 14;

template <typename Cell>
void each_cell(int64_t count, const Cell& cell) {
  parallel_for(ceil_div(count, kChunk), [&](int64_t chunk) {
    const int64_t end = std::min(count, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) cell(i);
  });
}
}  // namespace

template <typename T>
void quotient(T least, const T* a, const T* b, const T* c, T* y, int64_t count) {
  each_cell(count, [=](int64_t i) { y[i] = std::abs(b[i]) < least ? c[i] : a[i] / b[i]; });
}

template <typename T>
void quotient_vjp(int operand, T least, const T* g, const T* a, const T* b, T* to, int64_t count) {
  if (operand == 0)
    return each_cell(count, [=](int64_t i) { to[i] = std::abs(b[i]) < least ? T(0) : g[i] / b[i]; });
  if (operand == 2) return each_cell(count, [=](int64_t i) { to[i] = std::abs(b[i]) < least ? g[i] : T(0); });
  each_cell(count, [=](int64_t i) { to[i] = std::abs(b[i]) < least ? T(0) : -g[i] * (a[i] / b[i] / b[i]); });
}

template void quotient(float, const float*, const float*, const float*, float*, int64_t);
template void quotient(double, const double*, const double*, const double*, double*, int64_t);

template void quotient_vjp(int, float, const float*, const float*, const float*, float*, int64_t);
template void quotient_vjp(int, double, const double*, const double*, const double*, double*, int64_t);

}  // namespace loupe::host
