// Bounds for the suites of layer_norm, rms_norm and group_norm: the magnitude of the terms behind each result
// (op_suite.h).
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/layer_norm/norm.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

// One group of a case: element l is at(l), its weight weight(l).
struct NormGroup {
  const Norm& n;
  const Operands& o;
  int64_t i;
  double mean = 0, r = 0;

  size_t at(int64_t l) const {
    return static_cast<size_t>((i / n.inner * n.length + l) * n.inner + i % n.inner);
  }
  double x(int64_t l) const { return o.inputs[0][at(l)]; }
  double weight(int64_t l) const { return o.inputs.size() > 1 ? std::fabs(o.inputs[1][weight_of(l)]) : 1; }
  double bias(int64_t l) const { return o.inputs.size() > 2 ? std::fabs(o.inputs[2][weight_of(l)]) : 0; }
  double h(int64_t l) const { return std::fabs(o.grad_output[at(l)]) * weight(l); }
  double normalised(int64_t l) const { return std::fabs(x(l) - mean) * r; }
  size_t weight_of(int64_t l) const { return static_cast<size_t>(n.weight_of(i / n.inner, l)); }
  template <typename Term>
  double mean_of(const Term& term) const {
    double sum = 0;
    for (int64_t l = 0; l < n.length; ++l) sum += term(l);
    return sum / static_cast<double>(n.length);
  }
};

/// A rounding of the mean moves x − μ by that of mean |x|, and 1/√(σ² + eps) follows σ² to first order in its
/// relative error alone (the differences add up to zero): so forward's terms are (|x − μ| + mean |x|) · r ·
/// |weight| + |bias|, those of the vjp to the input r · (|h| + mean |h| + |x̂| · mean |h · x̂|) with h = gy ·
/// weight, and those to the weight Σ |gy · x̂|.
inline std::vector<double> norm_magnitude(const OpCase& test, Direction d, const Operands& o) {
  if (d == Direction::vjp_bias) return {};
  const Norm n = static_cast<const NormOp&>(*test.op).sizes(o.shapes[0]);
  Numbers m(d == Direction::vjp_weight ? static_cast<size_t>(n.weights()) : o.inputs[0].size());
  for (int64_t i = 0; i < n.outer * n.inner; ++i) {
    NormGroup g{n, o, i};
    if (n.centred) g.mean = g.mean_of([&](int64_t l) { return g.x(l); });
    g.r = 1 / std::sqrt(g.mean_of([&](int64_t l) { return (g.x(l) - g.mean) * (g.x(l) - g.mean); }) + n.eps);
    const double size = n.centred ? g.mean_of([&](int64_t l) { return std::fabs(g.x(l)); }) : 0;
    double sum = 0, products = 0;
    if (!d.is_forward()) {
      if (n.centred) sum = g.mean_of([&](int64_t l) { return g.h(l); });
      products = g.mean_of([&](int64_t l) { return g.h(l) * g.normalised(l); });
    }
    for (int64_t l = 0; l < n.length; ++l) {
      if (d.is_forward())
        m[g.at(l)] = (g.normalised(l) + size * g.r) * g.weight(l) + g.bias(l);
      else if (d == Direction::vjp_input)
        m[g.at(l)] = g.r * (g.h(l) + sum + g.normalised(l) * products);
      else
        m[g.weight_of(l)] += std::fabs(o.grad_output[g.at(l)]) * g.normalised(l);
    }
  }
  return m;
}

/// The record: max |x|, which is no less than mean |x|, for μ; the relative error of r.
inline std::vector<double> norm_record_magnitude(const Operands& o) {
  double largest = 0;
  for (const double x : o.inputs[0]) largest = std::max(largest, std::fabs(x));
  Numbers m = o.record->numbers();
  const bool centred = o.record->shape.back() == 2;
  for (size_t i = 0; i < m.size(); ++i)
    if (centred && i % 2 == 0) m[i] = largest;
  return m;
}

}  // namespace loupe::test
