#include "kernels/matmul/product.h"

namespace loupe {

Product LinearProduct::forward() const {
  Product p{.m = rows, .n = out, .k = in};
  p.a = {in, 1};
  p.b = {1, in};
  p.results[Product::kDims - 1] = {n, rows * in, 0};
  return p;
}

Product LinearProduct::vjp_input() const {
  Product p{.m = rows, .n = in, .k = out};
  p.a = {out, 1};
  p.b = {in, 1};
  p.results[Product::kDims - 1] = {n, rows * out, 0};
  return p;
}

Product LinearProduct::vjp_weight() const {
  Product p{.m = out, .n = in, .k = rows};
  p.a = {1, out};
  p.b = {in, 1};
  p.terms[Product::kDims - 1] = {n, rows * out, rows * in};
  return p;
}

Parts device::product_parts(const Product& p) {
  return Parts::of(p.term_count(), p.k, ceil_div(p.m, 32) * ceil_div(p.n, 64), Parts::kTiles);
}

}  // namespace loupe
