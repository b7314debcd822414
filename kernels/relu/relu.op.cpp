#include "kernels/relu/relu.h"

namespace loupe {

namespace {

Activation activation_of(const Op& op) { return op.activation(); }
int64_t image_of(const Shape& s) { return s[0] ? s.numel() / s[0] : 0; }
int64_t cells_of(const Array& a) { return a.bytes() / (kBlock * dtype_bytes(a.dtype)); }

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::activation_forward(activation_of(op), a.inputs[0].as<T>(), a.output.as<T>(), a.saved.as<uint8_t>(),
                            a.output.shape[0], image_of(a.output.shape));
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::activation_vjp(activation_of(op), a.grad_output.as<T>(), a.saved.as<uint8_t>(), a.grad.as<T>(),
                        a.grad.shape[0], image_of(a.grad.shape));
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  cpu::activation_forward(activation_of(op), a.inputs[0].as<float>(), a.output.as<float>(),
                          a.saved.as<uint16_t>(), cells_of(a.output));
}

void cpu_vjp(const Op& op, const Arguments& a) {
  cpu::activation_vjp(activation_of(op), a.grad_output.as<float>(), a.saved.as<uint16_t>(),
                      a.grad.as<float>(), cells_of(a.grad));
}

void device_forward(const Op& op, const Arguments& a) {
  device::activation_forward(a.queue, activation_of(op), a.inputs[0].as<float>(), a.output.as<float>(),
                             a.saved.as<uint8_t>(), a.output.shape[0], image_of(a.output.shape));
}

void device_vjp(const Op& op, const Arguments& a) {
  device::activation_vjp(a.queue, activation_of(op), a.grad_output.as<float>(), a.saved.as<uint8_t>(),
                         a.grad.as<float>(), a.grad.shape[0], image_of(a.grad.shape));
}

}  // namespace

std::vector<OpKind::Row> activation_kernels() {
  return {{Direction::forward, ref_forward, cpu_forward, device_forward},
          {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}};
}

void channels_on(Backend backend, const Queue& queue, const Array& mask, uint8_t* on) {
  const auto [n, c, h, w] = Nchw::of(mask.shape);
  if (backend == Backend::cpu) return cpu::channels_on(mask.as<uint16_t>(), on, n, c, h * w);
  if (backend == Backend::ref) return ref::channels_on(mask.as<uint8_t>(), on, n, c, h * w);
  device::channels_on(queue, mask.as<uint8_t>(), on, n, c, h * w);
}

std::string ActivationOp::describe() const {
  if (activation_.kind != Activation::Kind::leaky_relu) return {};
  std::string slope = std::to_string(activation_.slope);
  return "slope " + slope.substr(0, slope.find_last_not_of('0') + 1);
}

Shape ActivationOp::infer(Shapes inputs) const {
  expect_inputs(kind_.name, inputs, 1);
  if (inputs[0].numel() == 0)
    throw UsageError(std::string(kind_.name) + " takes a non-empty input, got " + inputs[0].str());
  return inputs[0];
}

extern const OpKind relu_kind{"relu", "max(x, 0); the tape keeps 1 bit an element", activation_kernels()};
OpPtr relu() { return std::make_shared<ActivationOp>(relu_kind, Activation{Activation::Kind::relu}); }

}  // namespace loupe
