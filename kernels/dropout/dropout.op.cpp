#include "kernels/dropout/dropout.h"

#include <cstdio>

#include "kernels/common/copy.h"

namespace loupe {

extern const OpKind dropout_kind;

namespace {

class DropoutOp : public Op {
 public:
  explicit DropoutOp(double p) : p_(p) {}
  const OpKind& kind() const override { return dropout_kind; }
  std::string describe() const override {
    char text[32];
    std::snprintf(text, sizeof text, "p %g", p_);
    return text;
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("dropout", inputs, 1);
    expect_not_empty("dropout", inputs[0]);
    return inputs[0];
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  bool is_view(Layout, Shapes) const override { return true; }
  bool in_place() const override { return true; }

 private:
  double p_;
};

void copy(const Array& from, const Array& to) {
  if (from.data != to.data) convert(from, to);
}
void forward(const Op&, const Arguments& a) { copy(a.inputs[0], a.output); }
void vjp(const Op&, const Arguments& a) { copy(a.grad_output, a.grad); }

void device_copy(const Arguments& a, const Array& from, const Array& to) {
  if (from.data != to.data) device::copy(a.queue, from.as<float>(), to.as<float>(), to.shape.numel());
}
void device_forward(const Op&, const Arguments& a) { device_copy(a, a.inputs[0], a.output); }
void device_vjp(const Op&, const Arguments& a) { device_copy(a, a.grad_output, a.grad); }

}  // namespace

extern const OpKind dropout_kind{
    "dropout",
    "the identity: nothing is dropped at inference",
    {{Direction::forward, forward, forward, device_forward}, {Direction::vjp_input, vjp, vjp, device_vjp}}};

OpPtr dropout(double p) {
  if (!(p >= 0 && p <= 1))
    throw UsageError("dropout takes a probability in [0, 1], got " + std::to_string(p));
  return std::make_shared<DropoutOp>(p);
}

}  // namespace loupe
