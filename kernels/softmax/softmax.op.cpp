#include "kernels/softmax/softmax.h"

namespace loupe {

namespace {

const SoftmaxOp& softmax_of(const Op& op) { return static_cast<const SoftmaxOp&>(op); }

void ref_forward(const Op& op, const Arguments& a) {
  const auto [n, c, pixels] = softmax_of(op).sizes(a.output.shape);
  with_float_type(a.output.dtype, [&, n = n, c = c, pixels = pixels](auto t) {
    using T = decltype(t);
    ref::softmax(softmax_of(op).log(), a.inputs[0].as<T>(), a.output.as<T>(), n, c, pixels);
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  const auto [n, c, pixels] = softmax_of(op).sizes(a.grad.shape);
  with_float_type(a.grad.dtype, [&, n = n, c = c, pixels = pixels](auto t) {
    using T = decltype(t);
    ref::softmax_vjp(softmax_of(op).log(), a.output.as<T>(), a.grad_output.as<T>(), a.grad.as<T>(), n, c,
                     pixels);
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const SoftmaxSizes s = softmax_of(op).sizes(a.output.shape);
  const bool log = softmax_of(op).log();
  const float* x = a.inputs[0].as<float>();
  if (a.output.layout == Layout::blocked)
    return cpu::softmax(log, x, a.output.as<float>(), s.n, s.c, s.pixels);
  cpu::softmax_planar(log, x, a.output.as<float>(), s);
}

void cpu_vjp(const Op& op, const Arguments& a) {
  const SoftmaxSizes s = softmax_of(op).sizes(a.grad.shape);
  const bool log = softmax_of(op).log();
  const float *y = a.output.as<float>(), *gy = a.grad_output.as<float>();
  if (a.grad.layout == Layout::blocked)
    return cpu::softmax_vjp(log, y, gy, a.grad.as<float>(), s.n, s.c, s.pixels);
  cpu::softmax_planar_vjp(log, y, gy, a.grad.as<float>(), s);
}

void device_forward(const Op& op, const Arguments& a) {
  const auto [n, c, pixels] = softmax_of(op).sizes(a.output.shape);
  device::softmax(a.queue, softmax_of(op).log(), a.inputs[0].as<float>(), a.output.as<float>(), n, c, pixels);
}

void device_vjp(const Op& op, const Arguments& a) {
  const auto [n, c, pixels] = softmax_of(op).sizes(a.grad.shape);
  device::softmax_vjp(a.queue, softmax_of(op).log(), a.output.as<float>(), a.grad_output.as<float>(),
                      a.grad.as<float>(), n, c, pixels);
}

}  // namespace

std::vector<OpKind::Row> softmax_kernels() {
  return {{Direction::forward, ref_forward, cpu_forward, device_forward},
          {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}};
}

Shape SoftmaxOp::shape(Shapes inputs) const {
  expect_inputs(kind_.name, inputs, 1);
  expect_not_empty(kind_.name, inputs[0]);
  expect_axis(kind_.name, inputs[0], axis_);
  return inputs[0];
}

SoftmaxSizes SoftmaxOp::sizes(const Shape& shape) const {
  const int axis = expect_axis(kind_.name, shape, axis_);
  SoftmaxSizes s{1, shape[axis], 1};
  for (int i = 0; i < shape.rank(); ++i)
    if (i != axis) (i < axis ? s.n : s.pixels) *= shape[i];
  return s;
}

extern const OpKind softmax_kind{"softmax", "exp(x) over its sum along an axis", softmax_kernels()};
OpPtr softmax(int axis) { return std::make_shared<SoftmaxOp>(softmax_kind, false, axis); }

}  // namespace loupe
