#include "kernels/upsample/upsample.h"

#include <algorithm>

namespace loupe::ref {

namespace {

// Calls body(i, j, weight) for every cell i of y's planes and the four cells j of x's that it is made of.
template <typename Body>
void for_each_part(const UpsampleAxes& a, int64_t planes, const Body& body) {
  for (int64_t p = 0; p < planes; ++p)
    for (int64_t h = 0; h < a.rows.out; ++h)
      for (int64_t w = 0; w < a.columns.out; ++w) {
        const UpsampleAxis::Source r = a.rows.source(h), c = a.columns.source(w);
        const int64_t i = (p * a.rows.out + h) * a.columns.out + w;
        const auto at = [&](int64_t row, int64_t column) {
          return (p * a.rows.in + row) * a.columns.in + column;
        };
        body(i, at(r.low, c.low), (1 - r.weight) * (1 - c.weight));
        body(i, at(r.low, c.high), (1 - r.weight) * c.weight);
        body(i, at(r.high, c.low), r.weight * (1 - c.weight));
        body(i, at(r.high, c.high), r.weight * c.weight);
      }
}

}  // namespace

template <typename T>
void upsample(const UpsampleAxes& a, const T* x, T* y, int64_t planes) {
  std::fill_n(y, planes * a.rows.out * a.columns.out, T{0});
  for_each_part(a, planes, [=](int64_t i, int64_t j, double weight) {
    if (weight != 0) y[i] += static_cast<T>(weight) * x[j];
  });
}

template <typename T>
void upsample_vjp(const UpsampleAxes& a, const T* gy, T* gx, int64_t planes) {
  std::fill_n(gx, planes * a.rows.in * a.columns.in, T{0});
  for_each_part(a, planes, [=](int64_t i, int64_t j, double weight) {
    if (weight != 0) gx[j] += static_cast<T>(weight) * gy[i];
  });
}

template void upsample(const UpsampleAxes&, const float*, float*, int64_t);
template void upsample(const UpsampleAxes&, const double*, double*, int64_t);
template void upsample_vjp(const UpsampleAxes&, const float*, float*, int64_t);
template void upsample_vjp(const UpsampleAxes&, const double*, double*, int64_t);

}  // namespace loupe::ref
