// Helpers for folding: what most evaluations of constants are made of. Whole numbers are computed as int64,
// floats in double, rounded to the result's type.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/common/error.h"
#include "models/io/onnx/constant.h"

namespace loupe::onnx {

/// The shape of a ∘ b after numpy's broadcasting. Throws Error where they do not fit.
Shape broadcast(const Shape& a, const Shape& b);
/// The place in an array of shape `from`, repeated to `to`, of element i of the latter.
int64_t repeated(const Shape& from, const Shape& to, int64_t i);
/// Row-major steps of a shape.
std::vector<int64_t> strides(const Shape&);
/// Axis counted from the front. Throws Error where there is none.
int axis_of(int64_t axis, int rank);

/// Elements of x, those that `source(i)` says for i = 0 … of the new shape.
template <typename Source>
Constant pick(const Constant& x, const Shape& shape, const Source& source) {
  Constant y{.type = x.type, .shape = shape};
  const int64_t n = shape.numel();
  if (!x.is_real()) {
    y.integers.reserve(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) y.integers.push_back(x.integers[static_cast<size_t>(source(i))]);
    return y;
  }
  y.reals = Tensor(x.reals.dtype(), shape);
  const auto copy = [&](auto to, auto from) {
    for (int64_t i = 0; i < n; ++i) to[static_cast<size_t>(i)] = from[static_cast<size_t>(source(i))];
  };
  if (x.reals.dtype() == Dtype::f32)
    copy(y.reals.values<float>(), x.reals.values<const float>());
  else
    copy(y.reals.values<double>(), x.reals.values<const double>());
  return y;
}

/// Whole numbers as the type holds them, wrapped around.
void wrap(Constant&);

/// x under another shape of as many elements.
Constant reshaped(const Constant& x, const Shape& shape);

/// f of every element: f(double) of floats, f(int64_t) of whole numbers.
template <typename F>
Constant map_elements(const Constant& x, ElementType type, const F& f) {
  std::vector<double> reals;
  Constant y{.type = type, .shape = x.shape};
  const auto keep = [&](auto value) {
    if (is_real(type))
      reals.push_back(static_cast<double>(value));
    else
      y.integers.push_back(static_cast<int64_t>(value));
  };
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (x.is_real())
      keep(f(x.real(i)));
    else
      keep(f(x.integer(i)));
  }
  return is_real(type) ? make_constant(type, x.shape, reals) : y;
}

/// f(a, b) of every pair, broadcast, of the type given.
template <typename F>
Constant map_pairs(const Constant& a, const Constant& b, ElementType type, const F& f) {
  const Shape shape = broadcast(a.shape, b.shape);
  const bool whole = !a.is_real() && !b.is_real();
  std::vector<double> reals;
  Constant y{.type = type, .shape = shape};
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const int64_t p = repeated(a.shape, shape, i), q = repeated(b.shape, shape, i);
    if (whole && !is_real(type))
      y.integers.push_back(static_cast<int64_t>(f(a.integer(p), b.integer(q))));
    else if (!is_real(type))
      y.integers.push_back(static_cast<int64_t>(f(a.real(p), b.real(q))));
    else
      reals.push_back(static_cast<double>(f(a.real(p), b.real(q))));
  }
  return is_real(type) ? make_constant(type, shape, reals) : y;
}

}  // namespace loupe::onnx
