#include "kernels/stable_div/stable_div.h"

#include <cmath>
#include <cstdio>

namespace loupe {

extern const OpKind stable_div_kind;

namespace {

class StableDivOp : public Op {
 public:
  explicit StableDivOp(double epsilon) : epsilon_(epsilon) {
    if (!(std::isfinite(epsilon) && epsilon >= 0))
      throw UsageError("stable_div takes an epsilon of at least 0, got " + std::to_string(epsilon));
  }
  const OpKind& kind() const override { return stable_div_kind; }
  std::string describe() const override {
    char text[40];
    std::snprintf(text, sizeof text, "epsilon %g", epsilon_);
    return text;
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("stable_div", inputs, 2);
    expect_not_empty("stable_div", inputs[0]);
    if (inputs[1] != inputs[0])
      throw UsageError("stable_div takes two operands of one shape, got " + inputs[0].str() + " and " +
                       inputs[1].str());
    return inputs[0];
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  bool in_place() const override { return true; }
  Needs needs(Direction d) const override { return {.operands = d == Direction::vjp_input ? 0b10u : 0b11u}; }
  double epsilon() const { return epsilon_; }

 private:
  double epsilon_;
};

double epsilon_of(const Op& op) { return static_cast<const StableDivOp&>(op).epsilon(); }
int64_t cells(const Array& a) { return a.bytes() / dtype_bytes(a.dtype); }

// Forward, and the vjp to the dividend, which is the same of dL/dy.
void quotient(const Op& op, const Arguments& x) {
  const bool forward = x.direction.is_forward();
  const Array &a = forward ? x.inputs[0] : x.grad_output, &y = forward ? x.output : x.grad;
  if (x.queue.module)
    return device::stable_div(x.queue, static_cast<float>(epsilon_of(op)), a.as<float>(),
                              x.inputs[1].as<float>(), y.as<float>(), cells(y));
  with_float_type(y.dtype, [&](auto t) {
    using T = decltype(t);
    host::stable_div(static_cast<T>(epsilon_of(op)), a.as<T>(), x.inputs[1].as<T>(), y.as<T>(), cells(y));
  });
}

void vjp_divisor(const Op& op, const Arguments& x) {
  if (x.queue.module)
    return device::stable_div_vjp_divisor(x.queue, static_cast<float>(epsilon_of(op)),
                                          x.grad_output.as<float>(), x.inputs[0].as<float>(),
                                          x.inputs[1].as<float>(), x.grad.as<float>(), cells(x.grad));
  with_float_type(x.grad.dtype, [&](auto t) {
    using T = decltype(t);
    host::stable_div_vjp_divisor(static_cast<T>(epsilon_of(op)), x.grad_output.as<T>(), x.inputs[0].as<T>(),
                                 x.inputs[1].as<T>(), x.grad.as<T>(), cells(x.grad));
  });
}

}  // namespace

extern const OpKind stable_div_kind{
    .name = "stable_div",
    .summary = "a / b with a divisor away from zero, as relevance propagation divides",
    .kernels = {{Direction::forward, quotient, quotient, quotient},
                {Direction::vjp_input, quotient, quotient, quotient},
                {Direction::vjp(1), vjp_divisor, vjp_divisor, vjp_divisor}},
    .operands = {"input", "divisor"}};

OpPtr stable_div(double epsilon) { return std::make_shared<StableDivOp>(epsilon); }

}  // namespace loupe
