#include "kernels/patch/patch.h"

#include <cmath>

namespace loupe {

extern const OpKind patch_kind;

namespace {

class PatchOp final : public Op {
 public:
  explicit PatchOp(const Patch& attributes) : patch_(attributes) {}
  const OpKind& kind() const override { return patch_kind; }
  std::string describe() const override {
    return Pair(patch_.height, patch_.width).str() + (std::isinf(patch_.outside) ? ", nothing around" : "");
  }
  std::vector<Type> infer(Types inputs) const override {
    if (inputs.size() != 3) throw UsageError("patch takes 3 inputs, got " + std::to_string(inputs.size()));
    if (inputs[2].dtype != Dtype::i32)
      throw UsageError("patch takes places of i32, got " + std::string(dtype_name(inputs[2].dtype)));
    const Nchw w = expect_maps("patch", inputs[0].shape), b = expect_maps("patch", inputs[1].shape);
    const Shape& places = inputs[2].shape;
    if (b.n != 1 || b.c != w.c)
      throw UsageError("patch takes a base (1, " + std::to_string(w.c) + ", H, W) for windows " +
                       inputs[0].shape.str() + ", got " + inputs[1].shape.str());
    if (places.rank() != 3 || places[0] != w.n || places[1] <= patch_.place || places[2] != 4)
      throw UsageError("patch takes places (" + std::to_string(w.n) + ", more than " +
                       std::to_string(patch_.place) + ", 4), got " + places.str());
    if (patch_.height < 1 || patch_.width < 1 || patch_.place < 0)
      throw UsageError("patch: its height and width are at least 1, and its place at least 0");
    return {{inputs[0].dtype, {w.n, w.c, patch_.height, patch_.width}}};
  }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  std::optional<Window> window() const override { return std::nullopt; }

  Needs needs(Direction d) const override { return {.operands = d.is_forward() ? 0b111u : 0b100u}; }

  double outside() const { return patch_.outside; }
  PatchSizes sizes(const Arguments& a) const {
    const Nchw w = Nchw::of(a.inputs[0].shape), b = Nchw::of(a.inputs[1].shape);
    return {w.n, w.c, b.h, b.w, w.h, w.w, patch_.height, patch_.width, a.inputs[2].shape[1], patch_.place};
  }

 private:
  Patch patch_;
};

const PatchOp& self(const Op& op) { return static_cast<const PatchOp&>(op); }

void ref_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::patch(self(op).sizes(a), a.inputs[0].as<T>(), a.inputs[1].as<T>(), a.inputs[2].as<int32_t>(),
               static_cast<T>(self(op).outside()), a.output.as<T>());
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  cpu::patch(self(op).sizes(a), a.inputs[0].as<float>(), a.inputs[1].as<float>(), a.inputs[2].as<int32_t>(),
             static_cast<float>(self(op).outside()), a.output.as<float>());
}

void ref_vjp(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::patch_vjp(self(op).sizes(a), a.grad_output.as<T>(), a.inputs[2].as<int32_t>(), a.grad.as<T>());
  });
}

void cpu_vjp(const Op& op, const Arguments& a) {
  cpu::patch_vjp(self(op).sizes(a), a.grad_output.as<float>(), a.inputs[2].as<int32_t>(), a.grad.as<float>());
}

void device_vjp(const Op& op, const Arguments& a) {
  device::patch_vjp(a.queue, self(op).sizes(a), a.grad_output.as<float>(), a.inputs[2].as<int32_t>(),
                    a.grad.as<float>());
}

void device_forward(const Op& op, const Arguments& a) {
  device::patch(a.queue, self(op).sizes(a), a.inputs[0].as<float>(), a.inputs[1].as<float>(),
                a.inputs[2].as<int32_t>(), static_cast<float>(self(op).outside()), a.output.as<float>());
}

}  // namespace

extern const OpKind patch_kind{
    .name = "patch",
    .summary = "a rectangle of maps that are the same for all images but for a window",
    .kernels = {{Direction::forward, ref_forward, cpu_forward, device_forward},
                {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}},
    .operands = {"windows", "base", "places"}};

OpPtr patch(Patch attributes) { return std::make_shared<PatchOp>(attributes); }

}  // namespace loupe
