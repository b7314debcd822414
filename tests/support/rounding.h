// How far one op may be, in float32, from its exact result: bounds that hold for any order of summation
// (Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1).
#pragma once
#include <cmath>
#include <vector>

#include "engine/graph/graph.h"
#include "kernels/common/parallel.h"

namespace loupe::test {

inline constexpr double kUnit = 0x1p-24;  // rounding to nearest float32

/// f(a) or f(a, b) of every element, in double.
template <typename F>
Tensor map(const Tensor& a, const F& f) {
  const Tensor in = a.to(Dtype::f64), out(Dtype::f64, a.shape());
  const double* x = in.values<double>().data();
  double* y = out.values<double>().data();
  parallel_for(a.numel(), [&](int64_t i) { y[i] = f(x[i]); });
  return out;
}
template <typename F>
Tensor map(const Tensor& a, const Tensor& b, const F& f) {
  const Tensor in = a.to(Dtype::f64), other = b.to(Dtype::f64), out(Dtype::f64, a.shape());
  const double *x = in.values<double>().data(), *z = other.values<double>().data();
  double* y = out.values<double>().data();
  parallel_for(a.numel(), [&](int64_t i) { y[i] = f(x[i], z[i]); });
  return out;
}

Tensor sum(const Tensor& a, const Tensor& b);

/// The op in double, by its textbook loops. `record`: what it leaves on the tape, if not empty.
Tensor compute(const Op& op, const std::vector<Tensor>& operands, const Tensor& record = {});

/// A node's operands as a device had them, in double, and how far (`errors`) they may be from what they
/// stand for: nothing for weights.
struct Operands {
  const Node& node;
  std::vector<Tensor> values = {}, errors = {};
};

/// How far the device may be from the exact result `exact` of these operands. `folded_length`: of a batch
/// norm that is folded into a convolution, the length of that one's sum. Throws Error for an op of which no
/// bound is known.
Tensor rounding_bound(const Operands& o, const Tensor& exact, int64_t folded_length);

}  // namespace loupe::test
