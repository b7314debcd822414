#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/linear/linear.h"

namespace loupe::ref {
namespace {

// a·b as 8 interleaved sums, so that the compiler may use vectors and no addition waits for the one before.
template <typename T>
T dot(int64_t count, const T* a, const T* b) {
  constexpr int64_t kSums = 8;
  T sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (int64_t j = 0; j < kSums; ++j) sums[j] += a[i + j] * b[i + j];
  T sum = 0;
  for (; i < count; ++i) sum += a[i] * b[i];
  for (const T part : sums) sum += part;
  return sum;
}

}  // namespace

template <typename T>
void linear_forward(LinearSizes s, const T* x, const T* weight, const T* bias, T* y) {
  parallel_for(s.out, [=](int64_t o) {
    for (int64_t n = 0; n < s.n; ++n)
      y[n * s.out + o] = dot(s.in, x + n * s.in, weight + o * s.in) + (bias ? bias[o] : T(0));
  });
}

template <typename T>
void linear_vjp_input(LinearSizes s, const T* gy, const T* weight, T* gx) {
  constexpr int64_t kChunk = 512;  // input features a task
  parallel_for(ceil_div(s.in, kChunk), [=](int64_t chunk) {
    const int64_t begin = chunk * kChunk, end = std::min(s.in, begin + kChunk);
    for (int64_t n = 0; n < s.n; ++n) std::fill(gx + n * s.in + begin, gx + n * s.in + end, T(0));
    for (int64_t o = 0; o < s.out; ++o)
      for (int64_t n = 0; n < s.n; ++n) {
        const T g = gy[n * s.out + o];
        const T* w_row = weight + o * s.in;
        T* gx_row = gx + n * s.in;
        for (int64_t i = begin; i < end; ++i) gx_row[i] += g * w_row[i];
      }
  });
}

template <typename T>
void linear_vjp_weight(LinearSizes s, const T* x, const T* gy, T* gw) {
  parallel_for(s.out, [=](int64_t o) {
    T* gw_row = gw + o * s.in;
    std::fill_n(gw_row, s.in, T(0));
    for (int64_t n = 0; n < s.n; ++n)
      for (int64_t i = 0; i < s.in; ++i) gw_row[i] += gy[n * s.out + o] * x[n * s.in + i];
  });
}

template <typename T>
void linear_vjp_bias(LinearSizes s, const T* gy, T* gb) {
  for (int64_t o = 0; o < s.out; ++o) {
    T sum = 0;
    for (int64_t n = 0; n < s.n; ++n) sum += gy[n * s.out + o];
    gb[o] = sum;
  }
}

template void linear_forward(LinearSizes, const float*, const float*, const float*, float*);
template void linear_forward(LinearSizes, const double*, const double*, const double*, double*);
template void linear_vjp_input(LinearSizes, const float*, const float*, float*);
template void linear_vjp_input(LinearSizes, const double*, const double*, double*);
template void linear_vjp_weight(LinearSizes, const float*, const float*, float*);
template void linear_vjp_weight(LinearSizes, const double*, const double*, double*);
template void linear_vjp_bias(LinearSizes, const float*, float*);
template void linear_vjp_bias(LinearSizes, const double*, double*);

}  // namespace loupe::ref
