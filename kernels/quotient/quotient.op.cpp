#include "kernels/quotient/quotient.h"

#include <cstdio>

namespace loupe {

extern const OpKind quotient_kind;

namespace {

class QuotientOp final : public Op {
 public:
  explicit QuotientOp(double least) : least_(least) {
    if (!(least > 0)) throw UsageError("quotient takes a least divisor above 0");
  }
  const OpKind& kind() const override { return quotient_kind; }
  std::string describe() const override {
    char text[32];
    std::snprintf(text, sizeof text, "%g", least_);
    return "where |b| ≥ " + std::string(text);
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("quotient", inputs, 3);
    expect_not_empty("quotient", inputs[0]);
    if (inputs[1] != inputs[0] || inputs[2] != inputs[0])
      throw UsageError("quotient takes three operands of one shape, got " + inputs[0].str() + ", " +
                       inputs[1].str() + " and " + inputs[2].str());
    return inputs[0];
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  Needs needs(Direction d) const override { return {.operands = d == Direction::vjp(1) ? 0b011u : 0b010u}; }
  double least() const { return least_; }

 private:
  double least_;
};

double least_of(const Op& op) { return static_cast<const QuotientOp&>(op).least(); }
int64_t cells(const Array& a) { return a.bytes() / dtype_bytes(a.dtype); }

void host_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    host::quotient(static_cast<T>(least_of(op)), a.inputs[0].as<T>(), a.inputs[1].as<T>(),
                   a.inputs[2].as<T>(), a.output.as<T>(), cells(a.output));
  });
}

void device_forward(const Op& op, const Arguments& a) {
  device::quotient(a.queue, static_cast<float>(least_of(op)), a.inputs[0].as<float>(),
                   a.inputs[1].as<float>(), a.inputs[2].as<float>(), a.output.as<float>(), cells(a.output));
}

// What is not read has no data.
void host_vjp(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    host::quotient_vjp(a.direction.operand, static_cast<T>(least_of(op)), a.grad_output.as<T>(),
                       a.inputs[0].as<T>(), a.inputs[1].as<T>(), a.grad.as<T>(), cells(a.grad));
  });
}

void device_vjp(const Op& op, const Arguments& a) {
  device::quotient_vjp(a.queue, a.direction.operand, static_cast<float>(least_of(op)),
                       a.grad_output.as<float>(), a.inputs[0].as<float>(), a.inputs[1].as<float>(),
                       a.grad.as<float>(), cells(a.grad));
}

}  // namespace

extern const OpKind quotient_kind{"quotient",
                                  "a / b where b is not almost nothing, else a third number",
                                  {{Direction::forward, host_forward, host_forward, device_forward},
                                   {Direction::vjp(0), host_vjp, host_vjp, device_vjp},
                                   {Direction::vjp(1), host_vjp, host_vjp, device_vjp},
                                   {Direction::vjp(2), host_vjp, host_vjp, device_vjp}},
                                  {"input", "divisor", "otherwise"}};

OpPtr quotient(double least) { return std::make_shared<QuotientOp>(least); }

}  // namespace loupe
