#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/product.h"

namespace loupe::ref {

namespace {

// a·b over k elements as 8 interleaved sums, so that the compiler may use vectors and no addition waits for
// the one before.
template <typename T>
T dot(int64_t k, const T* a, int64_t a_step, const T* b) {
  constexpr int64_t kSums = 8;
  T sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= k; i += kSums)
    for (int64_t j = 0; j < kSums; ++j) sums[j] += a[(i + j) * a_step] * b[i + j];
  T sum = 0;
  for (; i < k; ++i) sum += a[i * a_step] * b[i];
  for (const T part : sums) sum += part;
  return sum;
}

// Adds row · b to c, a row of n. b's rows or its columns lie in one piece.
template <typename T>
void add_row(const Product& p, const T* row, const T* b, T* c) {
  if (p.b.row == 1) {
    for (int64_t j = 0; j < p.n; ++j) c[j] += dot(p.k, row, p.a.col, b + j * p.b.col);
    return;
  }
  for (int64_t i = 0; i < p.k; ++i) {
    const T factor = row[i * p.a.col];
    const T* b_row = b + i * p.b.row;
    for (int64_t j = 0; j < p.n; ++j) c[j] += factor * b_row[j];
  }
}

}  // namespace

template <typename T>
void product(const Product& p, const T* a, const T* b, const Tail& tail, T* c) {
  parallel_for(p.result_count() * p.m, [&](int64_t i) {
    T* row = c + i * p.n;
    std::fill_n(row, p.n, T(0));
    const Product::Offsets from = Product::offsets(p.results, i / p.m);
    for (int64_t t = 0; t < p.term_count(); ++t) {
      const Product::Offsets term = Product::offsets(p.terms, t);
      add_row(p, a + from.a + term.a + i % p.m * p.a.row, b + from.b + term.b, row);
    }
    for (int64_t j = 0; tail.bias && j < p.n; ++j) row[j] += static_cast<const T*>(tail.bias)[j];
  });
  if (!tail.epilogue) return;
  const auto* residual = static_cast<const T*>(tail.residual);
  finish(tail.epilogue, c, residual, c, tail.record, p.result_count() * p.m * p.n / tail.image, tail.image);
}

template <typename T>
void column_sums(int64_t rows, int64_t columns, const T* x, T* sums) {
  std::fill_n(sums, columns, T(0));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; ++j) sums[j] += x[r * columns + j];
}

template void product(const Product&, const float*, const float*, const Tail&, float*);
template void product(const Product&, const double*, const double*, const Tail&, double*);
template void column_sums(int64_t, int64_t, const float*, float*);
template void column_sums(int64_t, int64_t, const double*, double*);

}  // namespace loupe::ref
