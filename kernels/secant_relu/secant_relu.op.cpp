#include "kernels/secant_relu/secant_relu.h"

namespace loupe {

extern const OpKind secant_relu_kind;

namespace {

class SecantReluOp final : public Op {
 public:
  const OpKind& kind() const override { return secant_relu_kind; }
  Shape shape(Shapes inputs) const override {
    expect_inputs("secant_relu", inputs, 2);
    expect_not_empty("secant_relu", inputs[0]);
    if (inputs[0].rank() < 1 || inputs[1] != inputs[0])
      throw UsageError("secant_relu takes two operands of one shape (N, …), got " + inputs[0].str() +
                       " and " + inputs[1].str());
    return inputs[0];
  }
  std::optional<Window> window() const override { return std::nullopt; }  // it looks at another row
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  Needs needs(Direction) const override { return {.operands = 2}; }
};

int64_t row_of(const Array& a) { return a.bytes() / dtype_bytes(a.dtype) / a.shape[0]; }

void host_forward(const Op&, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    host::secant_relu(a.inputs[0].as<const T>(), a.inputs[1].as<const T>(), a.output.as<T>(),
                      a.output.shape[0], row_of(a.output));
  });
}

// It is its own transpose of the signal.
void ref_vjp(const Op&, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    host::secant_relu(a.grad_output.as<const T>(), a.inputs[1].as<const T>(), a.grad.as<T>(), a.grad.shape[0],
                      row_of(a.grad));
  });
}

void device_forward(const Op&, const Arguments& a) {
  device::secant_relu(a.queue, a.inputs[0].as<float>(), a.inputs[1].as<float>(), a.output.as<float>(),
                      a.output.shape[0], row_of(a.output));
}

}  // namespace

extern const OpKind secant_relu_kind{"secant_relu",
                                     "a signal times the slope of a ReLU's chord to the next row",
                                     {{Direction::forward, host_forward, host_forward, device_forward},
                                      {Direction::vjp_input, ref_vjp, nullptr}},
                                     {"input", "x"}};

OpPtr secant_relu() { return std::make_shared<SecantReluOp>(); }

}  // namespace loupe
