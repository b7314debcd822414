#include "kernels/max_pool2d/max_pool2d.h"

#include <limits>

#include "kernels/max_unpool2d/max_unpool2d.h"

namespace loupe {

namespace {

class MaxPool2dOp final : public Op {
 public:
  explicit MaxPool2dOp(const MaxPool2d& attributes) : pooling_(attributes.pooling()) {}
  const OpKind& kind() const override;
  std::string describe() const override { return pooling_.str(); }
  Shape shape(Shapes inputs) const override {
    expect_inputs(kind().name, inputs, 1);
    const Nchw x = expect_maps(kind().name, inputs[0]);
    const Pair pooled = pooling_.pooled(kind().name, {x.h, x.w});
    expect_switch_fits(kind().name, pooling_.kernel);
    return {x.n, x.c, pooled.h, pooled.w};
  }
  std::optional<Window> window() const override {
    return Window{pooling_.kernel, pooling_.stride, pooling_.padding, pooling_.dilation};
  }
  std::optional<OnWindow> on_window(Shapes) const override {
    const MaxPool2d unpadded{.kernel = pooling_.kernel, .stride = pooling_.stride, .dilation = pooling_.dilation};
    return OnWindow{.op = max_pool2d(unpadded), .outside = -std::numeric_limits<double>::infinity()};
  }
  std::optional<Record> record(Shapes inputs) const override { return Record{Dtype::u8, shape(inputs)}; }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  Needs needs(Direction) const override { return {.record = true}; }
  int64_t accumulation_length(Direction direction, Shapes) const override {
    return direction.is_forward() ? 0 : pooling_.overlap();
  }
  const Pooling& pooling() const { return pooling_; }

 private:
  Pooling pooling_;
};

const Pooling& pooling_of(const Op& op) { return static_cast<const MaxPool2dOp&>(op).pooling(); }
Pair map_of(const Shape& s) { return {s[2], s[3]}; }

void ref_forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    ref::max_pool2d(pooling_of(op), map_of(x), map_of(y), a.inputs[0].as<T>(), a.output.as<T>(),
                    a.record.as<uint8_t>(), x[0] * x[1]);
  });
}

void ref_vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::max_unpool2d(pooling_of(op), map_of(x), map_of(y), a.grad_output.as<T>(), a.record.as<uint8_t>(),
                      a.grad.as<T>(), x[0] * x[1]);
  });
}

void cpu_forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  cpu::max_pool2d(pooling_of(op), map_of(x), map_of(y), a.inputs[0].as<float>(), a.output.as<float>(),
                  a.record.as<uint8_t>(), x[0], x[1]);
}

void cpu_vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  cpu::max_unpool2d(pooling_of(op), map_of(x), map_of(y), a.grad_output.as<float>(), a.record.as<uint8_t>(),
                    a.grad.as<float>(), x[0], x[1]);
}

void device_forward(const Op& op, const Arguments& a) {
  const Shape &x = a.inputs[0].shape, &y = a.output.shape;
  device::max_pool2d(a.queue, pooling_of(op), map_of(x), map_of(y), a.inputs[0].as<float>(),
                     a.output.as<float>(), a.record.as<uint8_t>(), x[0] * x[1]);
}

void device_vjp(const Op& op, const Arguments& a) {
  const Shape &x = a.grad.shape, &y = a.grad_output.shape;
  device::max_unpool2d(a.queue, pooling_of(op), map_of(x), map_of(y), a.grad_output.as<float>(),
                       a.record.as<uint8_t>(), a.grad.as<float>(), x[0] * x[1]);
}

}  // namespace

extern const OpKind max_pool2d_kind{"max_pool2d",
                                    "the largest of each window; the tape keeps its switch, 1 byte an output",
                                    {{Direction::forward, ref_forward, cpu_forward, device_forward},
                                     {Direction::vjp_input, ref_vjp, cpu_vjp, device_vjp}}};

const OpKind& MaxPool2dOp::kind() const { return max_pool2d_kind; }

OpPtr max_pool2d(MaxPool2d attributes) { return std::make_shared<MaxPool2dOp>(attributes); }

const Pooling& max_pool2d_pooling(const Op& op) { return pooling_of(op); }

}  // namespace loupe
