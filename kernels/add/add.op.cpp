#include "kernels/add/add.h"
#include "kernels/elementwise/elementwise.h"

#include "kernels/common/copy.h"

namespace loupe {

extern const OpKind add_kind;

namespace {

class AddOp : public Op {
 public:
  const OpKind& kind() const override { return add_kind; }
  Shape shape(Shapes inputs) const override {
    expect_inputs("add", inputs, 2);
    if (inputs[0] != inputs[1])
      throw UsageError("add takes two inputs of the same shape, got " + inputs[0].str() + " and " +
                       inputs[1].str());
    if (inputs[0].numel() == 0) throw UsageError("add takes non-empty inputs, got " + inputs[0].str());
    return inputs[0];
  }
  bool vjp_is_identity(Shapes) const override { return true; }
  bool in_place() const override { return true; }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  bool fuses(Backend b, Direction d, const Epilogue& e, Shapes) const override { return b == Backend::cpu && d.is_forward() && !e.residual; }
};

void ref_forward(const Op&, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::add(a.inputs[0].as<T>(), a.inputs[1].as<T>(), a.output.as<T>(), a.output.shape.numel());
  });
}

void cpu_forward(const Op&, const Arguments& a) {
  cpu::add(a.inputs[0].as<float>(), a.inputs[1].as<float>(), a.output.as<float>(),
           ceil_div(a.output.bytes(), kBlock * dtype_bytes(Dtype::f32)));
  if (a.epilogue) finish(Backend::cpu, {}, a.epilogue, a.output, {}, a.output, a.epilogue_record);
}

void vjp(const Op&, const Arguments& a) {
  if (a.grad.data != a.grad_output.data) convert(a.grad_output, a.grad);
}

void device_forward(const Op&, const Arguments& a) {
  device::add(a.queue, a.inputs[0].as<float>(), a.inputs[1].as<float>(), a.output.as<float>(),
              a.output.shape.numel());
}

void device_vjp(const Op&, const Arguments& a) {
  if (a.grad.data != a.grad_output.data)
    device::copy(a.queue, a.grad_output.as<float>(), a.grad.as<float>(), a.grad.shape.numel());
}

}  // namespace

extern const OpKind add_kind{"add",
                             "a + b, elementwise",
                             {{Direction::forward, ref_forward, cpu_forward, device_forward},
                              {Direction::vjp_input, vjp, vjp, device_vjp}}};

OpPtr add() { return std::make_shared<AddOp>(); }

}  // namespace loupe
