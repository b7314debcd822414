// The host's kernel: one pass. Memory bound: 12 bytes read and 4 written an element.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/secant_relu/secant_relu.h"

namespace loupe::host {

namespace {
// Where the signs differ nothing cancels: the divisor is the sum of two magnitudes.
template <typename T>
T slope(T from, T to) {
  const T a = std::max(from, T(0)), b = std::max(to, T(0));
  const T chord = (b - a) / (to - from);
  return from > 0 ? (to > 0 ? T(1) : chord) : (to > 0 ? chord : T(0));
}
}  // namespace

template <typename T>
void secant_relu(const T* s, const T* x, T* y, int64_t rows, int64_t row) {
  constexpr int64_t kChunk = 1 << 13;
  const int64_t count = rows * row, open = count - row;
  parallel_for(ceil_div(count, kChunk), [=](int64_t chunk) {
    const int64_t begin = chunk * kChunk, end = std::min(count, begin + kChunk), last = std::min(end, open);
    for (int64_t i = begin; i < last; ++i) y[i] = s[i] * slope(x[i], x[i + row]);
    if (end > open) std::fill(y + std::max(begin, open), y + end, T(0));
  });
}

template void secant_relu(const float*, const float*, float*, int64_t, int64_t);
template void secant_relu(const double*, const double*, double*, int64_t, int64_t);

}  // namespace loupe::host
