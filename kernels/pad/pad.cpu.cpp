// Padding on the CPU, a row of the last axis at a time: its middle is a copy (in the vjp a sum of rows), its
// sides are few.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/pad/pad.h"

namespace loupe::cpu {

namespace {

// The axes but the last one, row by row.
struct OuterRows {
  const PadAxes& p;
  int outer = p.rank - 1;

  int64_t count(bool padded) const {
    int64_t n = 1;
    for (int d = 0; d < outer; ++d) n *= padded ? p.axis[d].padded() : p.axis[d].size;
    return n;
  }
  // The row of x that a row of y repeats.
  int64_t source(int64_t row) const {
    int64_t at = 0, stride = 1;
    for (int d = outer - 1; d >= 0; --d) {
      at += p.axis[d].source(row % p.axis[d].padded()) * stride;
      row /= p.axis[d].padded();
      stride *= p.axis[d].size;
    }
    return at;
  }
  // How many rows of y repeat a row of x, and the k-th of them.
  int64_t images(int64_t row) const {
    int64_t n = 1;
    for (int d = outer - 1; d >= 0; --d) {
      n *= p.axis[d].images(row % p.axis[d].size);
      row /= p.axis[d].size;
    }
    return n;
  }
  int64_t image(int64_t row, int64_t k) const {
    int64_t at = 0, stride = 1;
    for (int d = outer - 1; d >= 0; --d) {
      const int64_t i = row % p.axis[d].size, images = p.axis[d].images(i);
      at += p.axis[d].image(i, k % images) * stride;
      row /= p.axis[d].size;
      k /= images;
      stride *= p.axis[d].padded();
    }
    return at;
  }
};

}  // namespace

void pad(const PadAxes& p, const float* x, float* y) {
  const OuterRows rows{p};
  const PadAxis& last = p.axis[p.rank - 1];
  parallel_for(rows.count(true), [=, &last](int64_t row) {
    const float* from = x + rows.source(row) * last.size;
    float* to = y + row * last.padded();
    for (int64_t i = 0; i < last.before; ++i) to[i] = from[last.source(i)];
    std::copy_n(from, last.size, to + last.before);
    for (int64_t i = last.before + last.size; i < last.padded(); ++i) to[i] = from[last.source(i)];
  });
}

void pad_vjp(const PadAxes& p, const float* gy, float* gx) {
  const OuterRows rows{p};
  const PadAxis& last = p.axis[p.rank - 1];
  parallel_for(rows.count(false), [=, &last](int64_t row) {
    float* to = gx + row * last.size;
    std::fill_n(to, last.size, 0.0f);
    const int64_t images = rows.images(row);
    for (int64_t k = 0; k < images; ++k) {
      const float* from = gy + rows.image(row, k) * last.padded();
      for (int64_t i = 0; i < last.before; ++i) to[last.source(i)] += from[i];
      for (int64_t i = 0; i < last.size; ++i) to[i] += from[last.before + i];
      for (int64_t i = last.before + last.size; i < last.padded(); ++i) to[last.source(i)] += from[i];
    }
  });
}

}  // namespace loupe::cpu
