// Vjps of ref in double against forward itself: by central differences, and by adjoint identities on
// integers.
#include <algorithm>
#include <cmath>

#include "tests/support/case_checks.h"

namespace loupe::test {

namespace {

constexpr double kStep = 0x1p-13;

// dL/dy of every output, one after the other, as flat() has the outputs; a missing one is zero.
Numbers signals(const CaseChecks& c, const Operands& o) {
  Numbers all = o.grad_output;
  const std::vector<Type> types = c.outputs(o.shapes);
  all.resize(static_cast<size_t>(types[0].shape.numel()));
  for (size_t k = 0; k < o.more_grad_outputs.size(); ++k) {
    const Numbers& g = o.more_grad_outputs[k];
    all.insert(all.end(), g.begin(), g.end());
    if (g.empty()) all.resize(all.size() + static_cast<size_t>(types[k + 1].shape.numel()));
  }
  return all;
}

// f = Σ vᵢyᵢ, with `d` times h added to the operand that a vjp differentiates.
double objective(const CaseChecks& c, Direction s, const Numbers& d, double h, const Numbers& v) {
  Operands o = c.operands();
  Numbers& x = o.inputs[static_cast<size_t>(s.operand)];
  for (size_t i = 0; i < x.size(); ++i) x[i] += h * d[i];
  return dot(flat(c.call_on(kOracle, Direction::forward, o)), v);
}

struct Slope {
  double value, truncation;
};
Slope slope(const CaseChecks& c, Direction s, const Numbers& d, const Numbers& v) {
  const auto difference = [&](double h) {
    return (objective(c, s, d, h, v) - objective(c, s, d, -h, v)) / (2 * h);
  };
  const double fine = difference(kStep), coarse = difference(2 * kStep);
  return {(4 * fine - coarse) / 3, std::fabs(coarse - fine)};
}

// Which element of a wrong gradient is furthest off. Slow, and only run on a failure.
std::string worst_element(const CaseChecks& c, Direction s, const Stored& gradient, const Numbers& g,
                          double rounding, const Numbers& v) {
  double worst = rounding, expected = 0;
  size_t at = g.size();
  Numbers d(g.size());
  for (size_t i = 0; i < std::min<size_t>(g.size(), 2000); ++i) {
    d[i] = 1;
    const double numeric = slope(c, s, d, v).value;
    d[i] = 0;
    if (!(std::fabs(numeric - g[i]) <= worst)) {
      worst = std::fabs(numeric - g[i]);
      at = i;
      expected = numeric;
    }
  }
  if (at == g.size()) return "";
  return "; at " + coordinates(gradient.shape, static_cast<int64_t>(at)) + " expected " + number(expected) +
         ", got " + number(g[at]);
}

void check_derivative(const CaseChecks& c, Direction s, double s_forward, double rounding, const Numbers& v,
                      Random& random) {
  const Operands& o = c.operands();
  const Stored gradient = c.call_on(kOracle, s, o).value;
  const Numbers g = gradient.numbers(), m = c.magnitude(s, o);
  const double vjp_rounding = gamma(c.roundings(s, o), kUnit64) + c.suite.derivative_error;
  for (int trial = 0; trial < 3; ++trial) {
    Numbers d(g.size());  // no element is left still; x + hd is exact in double
    for (double& x : d) x = static_cast<double>(1 + random.below(16)) / 16 * (random.below(2) ? 1 : -1);
    const double terms = dot(magnitudes(d), m);
    const Slope numeric = slope(c, s, d, v);
    const double bound = numeric.truncation + rounding + vjp_rounding * terms;
    if (!(bound <= 1e-5 * (s_forward + terms)))
      return c.fail("derivatives", c.name(s) + " cannot be seen: differences are good to " + number(bound) +
                                       " only (a kink, or values drawn too near one?)");
    if (std::fabs(numeric.value - dot(g, d)) <= bound) continue;
    return c.fail("derivatives", c.name(s) + ": along a random direction expected " + number(numeric.value) +
                                     ", got " + number(dot(g, d)) + ", bound " + number(bound) +
                                     worst_element(c, s, gradient, g, rounding, v));
  }
}

// Integers for every operand that has a role in a linear map; biases zero.
Operands integers(const CaseChecks& c, Random& random, double scale) {
  using Role = ParameterSpec::Role;
  Operands o = c.operands();
  for (size_t i = 0; i < o.inputs.size(); ++i) {
    if (!c.is_real(i)) continue;
    const auto role = c.role_of(i, o);
    const bool weight = role == Role::weight || role == Role::norm_weight || role == Role::table;
    for (double& x : o.inputs[i])
      x = !role                         ? scale * random.integer(4)
          : weight                      ? random.integer(3)
          : role == Role::norm_variance ? 1
                                        : 0;
  }
  for (double& x : o.grad_output) x = scale * random.integer(4);
  for (Numbers& g : o.more_grad_outputs)
    for (double& x : g) x = scale * random.integer(4);
  return o;
}

void expect_equal(const CaseChecks& c, const std::string& identity, double left, double right) {
  if (left != right) c.fail("adjoints", identity + ": " + number(left) + " is not " + number(right));
}

// On ref in double: every product is exact.
void check_identities(const CaseChecks& c, const Operands& o, const Numbers& y, const Numbers& v,
                      Random& random) {
  using Role = ParameterSpec::Role;
  double together = 0;
  bool any = false;
  for (const Direction d : c.steps(Backend::ref)) {
    if (d.is_forward()) continue;
    const auto i = static_cast<size_t>(d.operand);
    const auto role = c.role_of(i, o);
    const Numbers gradient = c.call_on(kOracle, d, o).value.numbers();
    if (role == Role::bias || role == Role::norm_bias) {
      Operands shifted = o;
      for (double& x : shifted.inputs[i]) x = random.integer(3);
      Numbers difference = flat(c.call_on(kOracle, Direction::forward, shifted));
      for (size_t k = 0; k < y.size(); ++k) difference[k] -= y[k];
      expect_equal(c, "<A(x) + b - A(x), y> = <b, " + c.name(d) + ">", dot(difference, v),
                   dot(shifted.inputs[i], gradient));
      continue;
    }
    const double inner = dot(o.inputs[i], gradient);
    if (role || c.suite.multilinear) {
      expect_equal(c, "<Ax, y> = <operand, " + c.name(d) + ">", dot(y, v), inner);
      continue;
    }
    together += inner;
    any = true;
  }
  if (any) expect_equal(c, "<Ax, y> = <x, A'y>", dot(y, v), together);
}

}  // namespace

void check_derivatives(const CaseChecks& c) {
  Random random(c.test.name + "/derivatives");
  const Operands& o = c.operands();
  const Numbers v = signals(c, o);
  const double s_forward = dot(magnitudes(v), c.magnitude(Direction::forward, o));
  const double rounding = 2 * gamma(c.roundings(Direction::forward, o), kUnit64) * s_forward / kStep;
  for (const Direction s : c.steps(Backend::ref))
    if (!s.is_forward()) check_derivative(c, s, s_forward, rounding, v, random);
}

void check_adjoints(const CaseChecks& c) {
  Random random(c.test.name + "/adjoints");
  const double scale = c.suite.adjoint_scale ? static_cast<double>(c.suite.adjoint_scale(c.test)) : 1;
  Operands o = integers(c, random, scale);
  const Numbers y = flat(c.after_forward(kOracle, o)), v = signals(c, o);
  if (dot(magnitudes(v), c.magnitude(Direction::forward, o)) > 0x1p53)
    return c.fail("adjoints", "the sums are too large to be exact");
  check_identities(c, o, y, v, random);

  if (c.suite.adjoint_scale) return;  // divides: float is not exact
  for (const Target& t : c.targets())
    for (const Direction d : c.steps(t.backend)) {
      const Numbers m = c.magnitude(d, o);
      if (*std::max_element(m.begin(), m.end()) > 0x1p24) continue;
      const Result oracle = c.call_on(kOracle, d, o);
      const Numbers expected = flat(oracle), got = flat(c.call_on(t, d, o));
      for (size_t i = 0; i < got.size(); ++i)
        if (expected[i] != got[i]) {
          c.fail("adjoints", c.name(d) + " on " + t.name() + " of integers is not exact at " +
                                 coordinates(oracle.value.shape, static_cast<int64_t>(i)) + ": expected " +
                                 number(expected[i]) + ", got " + number(got[i]));
          break;
        }
    }
}

}  // namespace loupe::test
