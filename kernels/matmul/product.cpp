#include "kernels/matmul/product.h"

namespace loupe {

namespace {

using Dim = Product::Dim;

// Drops dimensions of size 1 and joins neighbours that both operands cross as if they were one; what is left stands last.
void simplify(Dim (&dims)[Product::kDims]) {
  Dim kept[Product::kDims];
  int count = 0;
  for (const Dim& d : dims) {
    if (d.size == 1) continue;
    if (count > 0 && kept[count - 1].a == d.size * d.a && kept[count - 1].b == d.size * d.b)
      kept[count - 1] = {kept[count - 1].size * d.size, d.a, d.b};
    else
      kept[count++] = d;
  }
  for (int i = 0; i < Product::kDims; ++i) {
    const int from = i - (Product::kDims - count);
    dims[i] = from < 0 ? Dim{} : kept[from];
  }
}

}  // namespace

Product Product::merged() const {
  Product p = *this;
  simplify(p.results);
  simplify(p.terms);
  // Results that differ in their rows of a alone: the rows of one taller a.
  Dim& inner = p.results[kDims - 1];
  if (inner.size > 1 && inner.b == 0 && inner.a == p.m * p.a.row) {
    p.m *= inner.size;
    inner = {};
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

Product linear_product(int64_t rows, int64_t in, int64_t out) {
  Product p{.m = rows, .n = out, .k = in};
  p.a = {in, 1};
  p.b = {1, in};
  return p;
}

Product linear_vjp_input_product(int64_t rows, int64_t in, int64_t out) {
  Product p{.m = rows, .n = in, .k = out};
  p.a = {out, 1};
  p.b = {in, 1};
  return p;
}

Product linear_vjp_weight_product(int64_t rows, int64_t in, int64_t out) {
  Product p{.m = out, .n = in, .k = rows};
  p.a = {1, out};
  p.b = {in, 1};
  return p;
}

}  // namespace loupe
