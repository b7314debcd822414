#include "kernels/cross_entropy/cross_entropy.h"

namespace loupe {

namespace {

class CrossEntropyOp : public Op {
 public:
  const OpKind& kind() const override;
  Shape shape(Shapes inputs) const override {
    expect_inputs(kind().name, inputs, 2);
    const Shape &z = inputs[0], &t = inputs[1];
    if (z.rank() != 2 || z.numel() == 0 || z != t)
      throw UsageError("cross_entropy takes logits and targets of one non-empty shape (N, classes), got " +
                       z.str() + " and " + t.str());
    return {z[0], 1};
  }
  std::optional<Window> window() const override { return std::nullopt; }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
  Needs needs(Direction d) const override { return {.operands = d == Direction::vjp(1) ? 1u : 3u}; }
  /// Sums over the classes; the vjp of the logits multiplies two, T and 1/S.
  int64_t accumulation_length(Direction d, Shapes inputs) const override {
    return d.is_forward() ? inputs[0][1] : 2 * inputs[0][1];
  }
};

void forward(const Op&, const Arguments& a) {
  const Shape& s = a.inputs[0].shape;
  const Array &z = a.inputs[0], &t = a.inputs[1];
  if (z.layout == Layout::blocked)
    return cpu::cross_entropy(z.as<float>(), t.as<float>(), a.output.as<float>(), s[0], s[1]);
  with_float_type(z.dtype, [&](auto type) {
    using T = decltype(type);
    ref::cross_entropy(z.as<T>(), t.as<T>(), a.output.as<T>(), s[0], s[1]);
  });
}

void vjp_logits(const Op&, const Arguments& a) {
  const Shape& s = a.inputs[0].shape;
  const Array &z = a.inputs[0], &t = a.inputs[1], &g = a.grad_output;
  if (z.layout == Layout::blocked)
    return cpu::cross_entropy_vjp_logits(z.as<float>(), t.as<float>(), g.as<float>(), a.grad.as<float>(),
                                         s[0], s[1]);
  with_float_type(z.dtype, [&](auto type) {
    using T = decltype(type);
    ref::cross_entropy_vjp_logits(z.as<T>(), t.as<T>(), g.as<T>(), a.grad.as<T>(), s[0], s[1]);
  });
}

void vjp_targets(const Op&, const Arguments& a) {
  const Shape& s = a.inputs[0].shape;
  const Array &z = a.inputs[0], &g = a.grad_output;
  if (z.layout == Layout::blocked)
    return cpu::cross_entropy_vjp_targets(z.as<float>(), g.as<float>(), a.grad.as<float>(), s[0], s[1]);
  with_float_type(z.dtype, [&](auto type) {
    using T = decltype(type);
    ref::cross_entropy_vjp_targets(z.as<T>(), g.as<T>(), a.grad.as<T>(), s[0], s[1]);
  });
}

void device_forward(const Op&, const Arguments& a) {
  const Shape& s = a.inputs[0].shape;
  device::cross_entropy(a.queue, a.inputs[0].as<float>(), a.inputs[1].as<float>(), a.output.as<float>(), s[0],
                        s[1]);
}

void device_vjp_logits(const Op&, const Arguments& a) {
  const Shape& s = a.inputs[0].shape;
  device::cross_entropy_vjp_logits(a.queue, a.inputs[0].as<float>(), a.inputs[1].as<float>(),
                                   a.grad_output.as<float>(), a.grad.as<float>(), s[0], s[1]);
}

void device_vjp_targets(const Op&, const Arguments& a) {
  const Shape& s = a.inputs[0].shape;
  device::cross_entropy_vjp_targets(a.queue, a.inputs[0].as<float>(), a.grad_output.as<float>(),
                                    a.grad.as<float>(), s[0], s[1]);
}

}  // namespace

extern const OpKind cross_entropy_kind{"cross_entropy",
                                       "the loss of logits with target distributions, an image",
                                       {{Direction::forward, forward, forward, device_forward},
                                        {Direction::vjp_input, vjp_logits, vjp_logits, device_vjp_logits},
                                        {Direction::vjp(1), vjp_targets, vjp_targets, device_vjp_targets}},
                                       {"input", "targets"}};
const OpKind& CrossEntropyOp::kind() const { return cross_entropy_kind; }
OpPtr cross_entropy() { return std::make_shared<CrossEntropyOp>(); }

}  // namespace loupe
