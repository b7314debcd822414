// For the tests of the optimisers' steps: rules, parameters, and what rounding may do to them.
#pragma once
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/optimizer/optimizer.h"

namespace loupe::test {

template <typename T>
struct Parameter {
  std::vector<T> w, g, m, v;  // weights, gradient, state (sgd: v alone)
  explicit Parameter(size_t n) : w(n), g(n), m(n), v(n) {}
  /// Bit for bit.
  friend bool operator==(const Parameter& a, const Parameter& b) {
    const auto same = [](const std::vector<T>& x, const std::vector<T>& y) {
      return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
    };
    return same(a.w, b.w) && same(a.g, b.g) && same(a.m, b.m) && same(a.v, b.v);
  }
};

template <typename T>
Array array(std::vector<T>& v) {
  return {v.data(), sizeof(T) == 8 ? Dtype::f64 : Dtype::f32, {static_cast<int64_t>(v.size())}};
}

/// An optimiser with its settings.
struct Rule {
  std::string name = {};
  bool adamw = false;
  double scale = 1;
  SgdSettings sgd_settings = {};
  AdamwSettings adamw_settings = {};
};

inline std::vector<Rule> rules() {
  return {{.name = "sgd", .scale = 0.5, .sgd_settings = {.rate = 0.1}},
          {.name = "sgd with momentum",
           .scale = 1.0 / 3,
           .sgd_settings = {.rate = 0.1, .momentum = 0.9, .weight_decay = 1e-3}},
          {.name = "nesterov",
           .sgd_settings = {.rate = 0.01, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true}},
          {.name = "adamw", .adamw = true, .scale = 1.0 / 3, .adamw_settings = {.rate = 1e-3}},
          {.name = "adamw, strong decay",
           .adamw = true,
           .adamw_settings = {.rate = 0.1, .beta1 = 0.8, .beta2 = 0.9, .eps = 1e-3, .weight_decay = 0.5}}};
}

/// Numbers of either sign and many sizes; some gradients are zero.
inline Parameter<float> drawn(size_t n) {
  Parameter<float> p(n);
  uint64_t state = n;
  const auto next = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<int64_t>(state >> 40) - (1 << 23)) / (1 << 23);
  };
  for (size_t i = 0; i < n; ++i) {
    p.w[i] = next();
    p.g[i] = i % 11 == 5 ? 0.0f : std::ldexp(next(), static_cast<int>(i % 7) - 4);
  }
  return p;
}

inline void step_of(Backend backend, const Queue& queue, const Rule& rule, int64_t t, const Array& w,
                    const Array& g, const Array& m, const Array& v, const StepNorms& norms) {
  if (rule.adamw)
    adamw_step(backend, queue, rule.adamw_settings, t, rule.scale, w, g, m, v, norms);
  else
    sgd_step(backend, queue, rule.sgd_settings, rule.scale, w, g, v, norms);
}

/// On the host.
template <typename T>
void take_step(Backend backend, const Queue& queue, const Rule& rule, int64_t t, Parameter<T>& p,
               const StepNorms& norms = {}) {
  step_of(backend, queue, rule, t, array(p.w), array(p.g), array(p.m), array(p.v), norms);
}

inline double exact_squares(const std::vector<float>& x) {
  long double sum = 0;
  for (const float v : x) sum += static_cast<long double>(v) * v;
  return static_cast<double>(sum);
}

}  // namespace loupe::test
