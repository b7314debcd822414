#include "kernels/edit/edit.h"

namespace loupe {

extern const OpKind edit_kind;

namespace {

class EditOp : public Op {
 public:
  explicit EditOp(EditKind kind) : edit_(kind) {}
  const OpKind& kind() const override { return edit_kind; }
  std::string describe() const override {
    return edit_ == EditKind::set ? "set" : edit_ == EditKind::add ? "add" : "scale";
  }
  std::vector<Type> infer(Types inputs) const override {
    std::vector<Shape> shapes;
    for (const Type& t : inputs) shapes.push_back(t.shape);
    const Shape y = shape(shapes);
    if (inputs[1].dtype != Dtype::u8)
      throw UsageError("edit takes a mask of u8, got " + std::string(dtype_name(inputs[1].dtype)));
    return {{Dtype::f32, y}};
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("edit", inputs, 3);
    expect_not_empty("edit", inputs[0]);
    if (inputs[1] != inputs[0] || inputs[2] != inputs[0])
      throw UsageError("edit takes x, mask and values of one shape, got " + inputs[0].str() + ", " +
                       inputs[1].str() + " and " + inputs[2].str());
    return inputs[0];
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  Needs needs(Direction d) const override {
    const bool scale = edit_ == EditKind::scale;
    if (d == Direction::vjp_input) return {.operands = scale ? 0b110u : 0b010u};
    return {.operands = scale ? 0b011u : 0b010u};
  }
  EditKind edit() const { return edit_; }

 private:
  EditKind edit_;
};

EditKind kind_of(const Op& op) { return static_cast<const EditOp&>(op).edit(); }
int64_t cells(const Array& a) { return a.bytes() / dtype_bytes(a.dtype); }

void forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    host::edit(kind_of(op), a.inputs[0].as<T>(), a.inputs[1].as<uint8_t>(), a.inputs[2].as<T>(),
               a.output.as<T>(), cells(a.output));
  });
}

// Values that are not read have no data: dL/dy stands in for them.
template <typename T>
const T* read(const Array& operand, const Array& else_) {
  return operand ? operand.as<T>() : else_.as<T>();
}

void vjp_input(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    host::edit_vjp_input(kind_of(op), a.grad_output.as<T>(), a.inputs[1].as<uint8_t>(),
                         read<T>(a.inputs[2], a.grad_output), a.grad.as<T>(), cells(a.grad));
  });
}

void vjp_values(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    host::edit_vjp_values(kind_of(op), a.grad_output.as<T>(), a.inputs[1].as<uint8_t>(),
                          read<T>(a.inputs[0], a.grad_output), a.grad.as<T>(), cells(a.grad));
  });
}

void device_forward(const Op& op, const Arguments& a) {
  device::edit(a.queue, kind_of(op), a.inputs[0].as<float>(), a.inputs[1].as<uint8_t>(),
               a.inputs[2].as<float>(), a.output.as<float>(), cells(a.output));
}

void device_vjp_input(const Op& op, const Arguments& a) {
  device::edit_vjp_input(a.queue, kind_of(op), a.grad_output.as<float>(), a.inputs[1].as<uint8_t>(),
                         read<float>(a.inputs[2], a.grad_output), a.grad.as<float>(), cells(a.grad));
}

void device_vjp_values(const Op& op, const Arguments& a) {
  device::edit_vjp_values(a.queue, kind_of(op), a.grad_output.as<float>(), a.inputs[1].as<uint8_t>(),
                          read<float>(a.inputs[0], a.grad_output), a.grad.as<float>(), cells(a.grad));
}

}  // namespace

extern const OpKind edit_kind{.name = "edit",
                              .summary = "a value changed at the cells of a mask: set, add, scale",
                              .kernels = {{Direction::forward, forward, forward, device_forward},
                                          {Direction::vjp_input, vjp_input, vjp_input, device_vjp_input},
                                          {Direction::vjp(2), vjp_values, vjp_values, device_vjp_values}},
                              .operands = {"input", "mask", "values"}};

OpPtr edit_op(EditKind kind) { return std::make_shared<EditOp>(kind); }

}  // namespace loupe
