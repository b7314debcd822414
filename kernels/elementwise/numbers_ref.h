// The functions of functions/, and the binary ops, over float and double, with the standard library's
// elementary functions.
#pragma once
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/definition.h"

#undef LOUPE_NUMERIC
#define LOUPE_NUMERIC inline

namespace loupe::ref {

namespace numbers {
template <typename T>
T select(bool which, T a, T b) {
  return which ? a : b;
}
template <typename T>
T abs(T x) {
  return std::abs(x);
}
template <typename T>
T sqrt(T x) {
  return std::sqrt(x);
}
template <typename T>
T copy_sign(T x, T sign) {
  return std::copysign(x, sign);
}
template <typename T>
T exp(T x) {
  return std::exp(x);
}
template <typename T>
T expm1(T x) {
  return std::expm1(x);
}
template <typename T>
T log(T x) {
  return std::log(x);
}
template <typename T>
T log1p(T x) {
  return std::log1p(x);
}
template <typename T>
T erf(T x) {
  return std::erf(x);
}
/// 1 / (1 + exp(−x)), without an exponential that could overflow.
template <typename T>
T logistic(T x) {
  const T e = std::exp(-std::abs(x));
  return (x < 0 ? e : T(1)) / (T(1) + e);
}
/// The normal distribution's function and density, by way of double: a rounded square would cost the tails
/// their digits.
template <typename T>
T normal_cdf(T x) {
  return static_cast<T>(std::erfc(static_cast<double>(x) * -0.70710678118654752440) / 2);
}
template <typename T>
T normal_density(T x) {
  const auto exact = static_cast<double>(x);
  return static_cast<T>(std::exp(-exact * exact / 2) * 0.39894228040143267794);
}
}  // namespace numbers

namespace functions {
using numbers::select;
#include "kernels/elementwise/function_files.inc"  // generated
}  // namespace functions

namespace binary_terms {
using numbers::select;
#include "kernels/elementwise/binary_terms.inc"
}  // namespace binary_terms

}  // namespace loupe::ref
