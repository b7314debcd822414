#include <algorithm>

#include "kernels/pad/pad.h"

namespace loupe::ref {

namespace {

// Calls body(i, j) for every position of y, row by row, and the position of x that it repeats.
template <typename Body>
void for_each_position(const PadAxes& p, const Body& body) {
  int64_t count = 1;
  for (int d = 0; d < p.rank; ++d) count *= p.axis[d].padded();
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, j = 0, stride = 1;
    for (int d = p.rank - 1; d >= 0; --d) {
      j += p.axis[d].source(rest % p.axis[d].padded()) * stride;
      rest /= p.axis[d].padded();
      stride *= p.axis[d].size;
    }
    body(i, j);
  }
}

}  // namespace

template <typename T>
void pad(const PadAxes& p, const T* x, T* y) {
  for_each_position(p, [=](int64_t i, int64_t j) { y[i] = x[j]; });
}

template <typename T>
void pad_vjp(const PadAxes& p, const T* gy, T* gx) {
  int64_t count = 1;
  for (int d = 0; d < p.rank; ++d) count *= p.axis[d].size;
  std::fill(gx, gx + count, T{0});
  for_each_position(p, [=](int64_t i, int64_t j) { gx[j] += gy[i]; });
}

template void pad(const PadAxes&, const float*, float*);
template void pad(const PadAxes&, const double*, double*);
template void pad_vjp(const PadAxes&, const float*, float*);
template void pad_vjp(const PadAxes&, const double*, double*);

}  // namespace loupe::ref
