#include "kernels/relayout/relayout.h"

#include "kernels/common/copy.h"

namespace loupe {

extern const OpKind relayout_kind;

namespace {

class RelayoutOp : public Op {
 public:
  const OpKind& kind() const override { return relayout_kind; }
  Shape shape(Shapes inputs) const override {
    expect_inputs("relayout", inputs, 1);
    expect_not_empty("relayout", inputs[0]);
    return inputs[0];
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
};

void forward(const Op&, const Arguments& a) { convert(a.inputs[0], a.output); }
void vjp(const Op&, const Arguments& a) { convert(a.grad_output, a.grad); }

void device_forward(const Op&, const Arguments& a) {
  device::copy(a.queue, a.inputs[0].as<float>(), a.output.as<float>(), a.output.shape.numel());
}
void device_vjp(const Op&, const Arguments& a) {
  device::copy(a.queue, a.grad_output.as<float>(), a.grad.as<float>(), a.grad.shape.numel());
}

}  // namespace

extern const OpKind relayout_kind{
    "relayout",
    "the same values in the other layout",
    {{Direction::forward, forward, forward, device_forward}, {Direction::vjp_input, vjp, vjp, device_vjp}}};

OpPtr relayout() {
  static const OpPtr op = std::make_shared<RelayoutOp>();
  return op;
}

}  // namespace loupe
