// The host's kernels: one pass, in whatever layout. Memory bound: 8 bytes read and 4 written an element.
#include "kernels/stable_div/stable_div.h"
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

template <typename T>
T away(T b, T epsilon) {
  return b < 0 ? b - epsilon : b + epsilon;
}
}  // namespace

template <typename T>
void stable_div(T epsilon, const T* a, const T* b, T* y, int64_t count) {
  if (epsilon == 0) return each_cell(count, [=](int64_t i) { y[i] = b[i] == 0 ? T{0} : a[i] / b[i]; });
  each_cell(count, [=](int64_t i) { y[i] = a[i] / away(b[i], epsilon); });
}

template <typename T>
void stable_div_vjp_divisor(T epsilon, const T* g, const T* a, const T* b, T* gb, int64_t count) {
  each_cell(count, [=](int64_t i) {
    const T divisor = away(b[i], epsilon);
    gb[i] = divisor == 0 ? T{0} : T{0} - g[i] * (a[i] / divisor / divisor);
  });
}

template void stable_div(float, const float*, const float*, float*, int64_t);
template void stable_div(double, const double*, const double*, double*, int64_t);
template void stable_div_vjp_divisor(float, const float*, const float*, const float*, float*, int64_t);
template void stable_div_vjp_divisor(double, const double*, const double*, const double*, double*, int64_t);

}  // namespace loupe::host
