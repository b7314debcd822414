#include "kernels/optimizer/optimizer.h"

#include <cmath>
#include <string>

namespace loupe {

namespace {

bool on_device(Backend b) { return b == Backend::cuda || b == Backend::sim; }

// Throws Error unless the arrays are planar, not empty and of one shape and type that the backend has kernels
// for.
void expect_alike(Backend backend, std::initializer_list<const Array*> arrays) {
  const Array& w = **arrays.begin();
  const bool type = w.dtype == Dtype::f32 || (w.dtype == Dtype::f64 && backend == Backend::ref);
  bool fine = type && w.shape.numel() > 0;
  for (const Array* a : arrays)
    fine = fine && a->data && a->layout == Layout::planar && a->dtype == w.dtype && a->shape == w.shape;
  if (!fine)
    throw Error(
        "an optimiser on " + std::string(backend_name(backend)) +
        " takes planar arrays of f32 (ref: or f64), all of one shape that is not empty; the weights are " +
        std::string(dtype_name(w.dtype)) + " " + w.shape.str());
}

void expect_setting(bool fine, const char* name, const char* range, double value) {
  if (!fine) throw UsageError(std::string(name) + " must be " + range + ", got " + std::to_string(value));
}
void expect_from_zero(const char* name, double value) {
  expect_setting(std::isfinite(value) && value >= 0, name, "zero or more", value);
}
void expect_fraction(const char* name, double value) {
  expect_setting(value >= 0 && value < 1, name, "at least 0 and below 1", value);
}

template <typename T>
SgdFactors<T> factors(const SgdSettings& s, double scale) {
  return {T(scale), T(s.rate), T(s.momentum), T(s.weight_decay), s.nesterov};
}

template <typename T>
AdamwFactors<T> factors(const AdamwSettings& s, int64_t step, double scale) {
  const auto t = static_cast<double>(step);
  return {T(scale),
          T(s.beta1),
          T(1 - s.beta1),
          T(s.beta2),
          T(1 - s.beta2),
          T(s.rate * s.weight_decay),
          T(s.rate / (1 - std::pow(s.beta1, t))),
          T(1 / std::sqrt(1 - std::pow(s.beta2, t))),
          T(s.eps)};
}

}  // namespace

void sgd_step(Backend backend, const Queue& queue, const SgdSettings& s, double scale, const Array& w,
              const Array& g, const Array& v, const StepNorms& norms) {
  expect_from_zero("the learning rate", s.rate);
  expect_from_zero("the weight decay", s.weight_decay);
  expect_fraction("the momentum", s.momentum);
  expect_alike(backend, {&w, &g, &v});
  const int64_t n = w.shape.numel();
  if (on_device(backend))
    return device::sgd_step(queue, factors<float>(s, scale), n, w.as<float>(), g.as<float>(), v.as<float>(),
                            norms.squares, static_cast<double*>(norms.workspace));
  if (backend == Backend::cpu)
    return cpu::sgd_step(factors<float>(s, scale), n, w.as<float>(), g.as<float>(), v.as<float>(),
                         norms.squares);
  with_float_type(w.dtype, [&](auto t) {
    using T = decltype(t);
    ref::sgd_step(factors<T>(s, scale), n, w.as<T>(), g.as<T>(), v.as<T>(), norms.squares);
  });
}

void adamw_step(Backend backend, const Queue& queue, const AdamwSettings& s, int64_t step, double scale,
                const Array& w, const Array& g, const Array& m, const Array& v, const StepNorms& norms) {
  expect_from_zero("the learning rate", s.rate);
  expect_from_zero("the weight decay", s.weight_decay);
  expect_fraction("beta1", s.beta1);
  expect_fraction("beta2", s.beta2);
  // A gradient that was always zero would otherwise make its weight 0/0.
  expect_setting(static_cast<float>(s.eps) > 0 && std::isfinite(s.eps), "epsilon", "positive", s.eps);
  if (step < 1) throw Error("AdamW counts its steps from 1, got " + std::to_string(step));
  expect_alike(backend, {&w, &g, &m, &v});
  const int64_t n = w.shape.numel();
  if (on_device(backend))
    return device::adamw_step(queue, factors<float>(s, step, scale), n, w.as<float>(), g.as<float>(),
                              m.as<float>(), v.as<float>(), norms.squares,
                              static_cast<double*>(norms.workspace));
  if (backend == Backend::cpu)
    return cpu::adamw_step(factors<float>(s, step, scale), n, w.as<float>(), g.as<float>(), m.as<float>(),
                           v.as<float>(), norms.squares);
  with_float_type(w.dtype, [&](auto t) {
    using T = decltype(t);
    ref::adamw_step(factors<T>(s, step, scale), n, w.as<T>(), g.as<T>(), m.as<T>(), v.as<T>(), norms.squares);
  });
}

void sum_of_squares(Backend backend, const Queue& queue, const Array& x, double* sum, void* workspace) {
  expect_alike(backend, {&x});
  const int64_t n = x.shape.numel();
  if (on_device(backend))
    return device::sum_of_squares(queue, n, x.as<float>(), sum, static_cast<double*>(workspace));
  if (backend == Backend::cpu) {
    *sum = cpu::sum_of_squares(n, x.as<float>());
    return;
  }
  with_float_type(x.dtype, [&](auto t) { *sum = ref::sum_of_squares(n, x.as<decltype(t)>()); });
}

}  // namespace loupe
