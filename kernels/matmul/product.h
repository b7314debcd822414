// Product: what every matrix product of the engine comes down to, whatever is transposed, batched or
// broadcast.
//
//   c[i, :, :] = Σ_t a[i, t] · b[i, t]        a: m × k    b: k × n    c: m × n, row-major, one after another
//
// i counts the results, t the products that are added up in one result: the gradient of an operand that was
// broadcast over a batch is a sum over that batch. Matrices lie anywhere: an element is reached by two
// strides, one of which is 1, and a matrix of a batch by its offset. Each element of c is one chain of fused
// multiply-adds, over t and then k, that begins at zero: its bits follow from the shape alone, whatever the
// tiles, threads, instruction set or packing. (`ref` adds in another order.) On a device the gradient of a
// weight that all images share is a sum of such chains, a part of the terms each (reduce/parts.h).
#pragma once
#include <cstdint>
#include <span>

#include "kernels/common/op.h"
#include "kernels/reduce/parts.h"

namespace loupe {

struct Product {
  static constexpr int kDims = 4;  // of a batch

  int64_t m = 1, n = 1, k = 1;
  struct Strides {  // from row to row and from column to column, in elements
    int64_t row = 0, col = 1;
  };
  Strides a = {}, b = {};
  struct Dim {
    int64_t size = 1, a = 0, b = 0;  // strides of the two operands
  };
  Dim results[kDims] = {}, terms[kDims] = {};  // outermost first; those not needed have size 1

  struct Offsets {
    int64_t a = 0, b = 0;
  };
  static constexpr int64_t count(const Dim (&dims)[kDims]) {
    int64_t all = 1;
    for (const Dim& d : dims) all *= d.size;
    return all;
  }
  /// Where the operands of number `i` of a batch begin.
  static constexpr Offsets offsets(const Dim (&dims)[kDims], int64_t i) {
    Offsets o;
    for (int d = kDims - 1; d >= 0; --d) {
      const int64_t at = i % dims[d].size;
      i /= dims[d].size;
      o.a += at * dims[d].a;
      o.b += at * dims[d].b;
    }
    return o;
  }
  constexpr int64_t result_count() const { return count(results); }
  constexpr int64_t term_count() const { return count(terms); }
  /// Length of the sum behind an element.
  constexpr int64_t length() const { return term_count() * k; }

  /// The same numbers by fewer and larger products: a batch of rows that all meet the same b, or the terms of
  /// a sum that lie one behind the other, become one matrix.
  Product merged() const;

 private:
  static void simplify(Dim (&dims)[kDims]);
};

/// Drops dimensions of size 1 and joins neighbours that both operands cross as if they were one; what is left
/// stands last.
inline void Product::simplify(Dim (&dims)[kDims]) {
  Dim kept[kDims];
  int count = 0;
  for (const Dim& d : dims) {
    if (d.size == 1) continue;
    if (count > 0 && kept[count - 1].a == d.size * d.a && kept[count - 1].b == d.size * d.b)
      kept[count - 1] = {kept[count - 1].size * d.size, d.a, d.b};
    else
      kept[count++] = d;
  }
  for (int i = 0; i < kDims; ++i) dims[i] = i < kDims - count ? Dim{} : kept[i - (kDims - count)];
}

inline Product Product::merged() const {
  Product p = *this;
  simplify(p.results);
  simplify(p.terms);
  // Results that differ in their rows of a alone: the rows of one taller a.
  Dim& result = p.results[kDims - 1];
  if (result.size > 1 && result.b == 0 && result.a == p.m * p.a.row) {
    p.m *= result.size;
    result = {};
    simplify(p.results);
  }
  // Terms that follow each other along k in both operands: one longer sum.
  Dim& term = p.terms[kDims - 1];
  if (term.size > 1 && term.a == p.k * p.a.col && term.b == p.k * p.b.row) {
    p.k *= term.size;
    term = {};
    simplify(p.terms);
  }
  return p;
}

/// What becomes of a sum before it is stored: the bias of its column is added, then the epilogue follows.
/// Pointers are to T = float or double, as the product's.
struct Tail {
  const void* bias = nullptr;  // (n), or null
  Epilogue epilogue = {};
  const void* residual = nullptr;  // of the epilogue; like c
  void* record =
      nullptr;  // of the epilogue: what its function keeps, written by forward if not null, read by a vjp
  int64_t image =
      0;  // elements of c in an image, with an epilogue: bits of each begin at a byte of their own
  explicit operator bool() const { return bias || epilogue; }
};

/// The three products of a linear layer with x (n, rows, in), weight (out, in) and y (n, rows, out); n is the
/// batch.
struct LinearProduct {
  int64_t n, rows, in, out;
  Product forward() const;     // y = x · weightᵀ
  Product vjp_input() const;   // gx = gy · weight
  Product vjp_weight() const;  // gweight = Σ gyᵀ · x over the batch; a is gy, b is x
};

namespace ref {
/// Textbook loops, T = float or double, sums in T.
template <typename T>
void product(const Product&, const T* a, const T* b, const Tail&, T* c);
/// sums (columns) = Σ over the rows of x (rows, columns): the vjp to a bias. On a device: reduce/parts.h.
template <typename T>
void column_sums(int64_t rows, int64_t columns, const T* x, T* sums);
}  // namespace ref

namespace cpu {
/// b in the order in which the kernel reads it: panels of 16 columns, (⌈n/16⌉, k, 16), zeros past the last
/// column. For a b that is the same in all products (merged().result_count() and term_count() are 1). Floats,
/// and the packing itself.
int64_t packed_floats(const Product&);
void pack(const Product&, const float* b, float* to);

/// Bytes that product() needs beside its operands.
int64_t product_workspace(const Product&, bool b_is_packed);
void product(const Product&, const float* a, const float* b, bool b_is_packed, const Tail&, float* c,
             std::span<std::byte> workspace);
/// Sums of 64 rows at a time, then of those.
void column_sums(int64_t rows, int64_t columns, const float* x, float* sums);
}  // namespace cpu

namespace device {  // product.cu
/// How the sum of a weight's gradient is cut: terms are images, k their pixels.
Parts product_parts(const Product&);
/// By our kernel, or with `library` by cuBLAS where it is there. `parts` of the terms, one part for all other
/// products; scratch: parts.scratch_floats(m · n) floats.
inline constexpr DeviceFunction<void(Product, Parts, bool library, const float* a, const float* b, Tail,
                                     float* c, float* scratch)>
    product{"product"};
}  // namespace device

}  // namespace loupe
