#include "kernels/softmax/softmax.h"

namespace loupe {

namespace {

bool is_log(const Op& op) { return static_cast<const SoftmaxOp&>(op).log(); }

void forward(const Op& op, const Arguments& a) {
  const auto [n, c, h, w] = Nchw::of(a.output.shape);
  if (a.output.layout == Layout::blocked)
    return cpu::softmax(is_log(op), a.inputs[0].as<float>(), a.output.as<float>(), n, c, h * w);
  with_float_type(a.output.dtype, [&, n = n, c = c, pixels = h * w](auto t) {
    using T = decltype(t);
    ref::softmax(is_log(op), a.inputs[0].as<T>(), a.output.as<T>(), n, c, pixels);
  });
}

void vjp(const Op& op, const Arguments& a) {
  const auto [n, c, h, w] = Nchw::of(a.grad.shape);
  if (a.grad.layout == Layout::blocked)
    return cpu::softmax_vjp(is_log(op), a.output.as<float>(), a.grad_output.as<float>(), a.grad.as<float>(),
                            n, c, h * w);
  with_float_type(a.grad.dtype, [&, n = n, c = c, pixels = h * w](auto t) {
    using T = decltype(t);
    ref::softmax_vjp(is_log(op), a.output.as<T>(), a.grad_output.as<T>(), a.grad.as<T>(), n, c, pixels);
  });
}

void device_forward(const Op& op, const Arguments& a) {
  const auto [n, c, h, w] = Nchw::of(a.output.shape);
  device::softmax(a.queue, is_log(op), a.inputs[0].as<float>(), a.output.as<float>(), n, c, h * w);
}

void device_vjp(const Op& op, const Arguments& a) {
  const auto [n, c, h, w] = Nchw::of(a.grad.shape);
  device::softmax_vjp(a.queue, is_log(op), a.output.as<float>(), a.grad_output.as<float>(),
                      a.grad.as<float>(), n, c, h * w);
}

}  // namespace

std::vector<OpKind::Row> softmax_kernels() {
  return {{Direction::forward, forward, forward, device_forward},
          {Direction::vjp_input, vjp, vjp, device_vjp}};
}

Shape SoftmaxOp::shape(Shapes inputs) const {
  expect_inputs(kind_.name, inputs, 1);
  const Shape& s = inputs[0];
  if ((s.rank() != 2 && s.rank() != 4) || s.numel() == 0)
    throw UsageError(std::string(kind_.name) + " takes a non-empty input (N, F) or (N, C, H, W), got " +
                     s.str());
  return s;
}

extern const OpKind softmax_kind{"softmax", "exp(x) over its sum along the channels", softmax_kernels()};
OpPtr softmax() { return std::make_shared<SoftmaxOp>(softmax_kind, false); }

}  // namespace loupe
