#include "kernels/max_unpool2d/max_unpool2d.h"

namespace loupe {

namespace {

class MaxUnpool2dOp final : public Op {
 public:
  explicit MaxUnpool2dOp(const MaxUnpool2d& a) : pooling_(a.pooling()), output_(a.output) {}
  const OpKind& kind() const override;
  std::string describe() const override { return pooling_.str() + ", to " + output_.str(); }
  std::vector<Type> infer(Types inputs) const override {
    std::vector<Shape> shapes;
    for (const Type& t : inputs) shapes.push_back(t.shape);
    if (inputs.size() == 2 && inputs[1].dtype != Dtype::u8)
      throw UsageError(std::string(kind().name) + " takes switches of u8, got " +
                       std::string(dtype_name(inputs[1].dtype)));
    return {{Dtype::f32, shape(shapes)}};
  }
  Shape shape(Shapes inputs) const override {
    const std::string op(kind().name);
    expect_inputs(op, inputs, 2);
    const Nchw x = expect_maps(op, inputs[0]);
    if (inputs[1] != inputs[0])
      throw UsageError(op + ": the input " + inputs[0].str() + " and its switches " + inputs[1].str() +
                       " differ in shape");
    expect_switch_fits(op, pooling_.kernel);
    if (output_.h < 1 || output_.w < 1)
      throw UsageError(op + ": the output must be at least 1×1, got " + output_.str());
    pooling_.check(op);
    Pooling ceil = pooling_;
    ceil.ceil_mode = true;
    const Pair pooled(x.h, x.w), floor_size = pooling_.windows(output_), ceil_size = ceil.windows(output_);
    if (pooled != floor_size && pooled != ceil_size)
      throw UsageError(op + ": pooling " + output_.str() + " maps (" + pooling_.str() + ") gives " +
                       floor_size.str() + ", or " + ceil_size.str() + " in ceil mode, not " + pooled.str());
    return {x.n, x.c, output_.h, output_.w};
  }
  // A place is reached from several windows.
  std::optional<Window> window() const override { return std::nullopt; }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  Needs needs(Direction) const override { return {.operands = 2}; }  // the switches
  int64_t accumulation_length(Direction direction, Shapes) const override {
    return direction.is_forward() ? pooling_.overlap() : 0;
  }
  const Pooling& pooling() const { return pooling_; }

 private:
  Pooling pooling_;
  Pair output_;
};

const Pooling& pooling_of(const Op& op) { return static_cast<const MaxUnpool2dOp&>(op).pooling(); }
Pair map_of(const Shape& s) { return {s[2], s[3]}; }

void ref_forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::max_unpool2d(pooling_of(op), map_of(y), map_of(x), a.inputs[0].as<T>(), a.inputs[1].as<uint8_t>(),
                      a.output.as<T>(), x[0] * x[1]);
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::max_unpool2d_vjp(pooling_of(op), map_of(y), map_of(x), a.grad_output.as<T>(),
                          a.inputs[1].as<uint8_t>(), a.grad.as<T>(), x[0] * x[1]);
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  cpu::max_unpool2d(pooling_of(op), map_of(y), map_of(x), a.inputs[0].as<float>(), a.inputs[1].as<uint8_t>(),
                    a.output.as<float>(), x[0], x[1]);
}

void cpu_vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  cpu::max_unpool2d_vjp(pooling_of(op), map_of(y), map_of(x), a.grad_output.as<float>(),
                        a.inputs[1].as<uint8_t>(), a.grad.as<float>(), x[0], x[1]);
}

void device_forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  device::max_unpool2d(a.queue, pooling_of(op), map_of(y), map_of(x), a.inputs[0].as<float>(),
                       a.inputs[1].as<uint8_t>(), a.output.as<float>(), x[0] * x[1]);
}

void device_vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  device::max_unpool2d_vjp(a.queue, pooling_of(op), map_of(y), map_of(x), a.grad_output.as<float>(),
                           a.inputs[1].as<uint8_t>(), a.grad.as<float>(), x[0] * x[1]);
}

}  // namespace

extern const OpKind max_unpool2d_kind{"max_unpool2d",
                                      "each input to the place its switch names; overlapping windows add",
                                      {{Direction::forward, ref_forward, cpu_forward, device_forward},
                                       {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}},
                                      {"input", "switches"}};

const OpKind& MaxUnpool2dOp::kind() const { return max_unpool2d_kind; }

OpPtr max_unpool2d(MaxUnpool2d attributes) { return std::make_shared<MaxUnpool2dOp>(attributes); }

}  // namespace loupe
