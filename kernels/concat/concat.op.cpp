#include "kernels/concat/concat.h"

namespace loupe {

extern const OpKind concat_kind;

namespace {

class ConcatOp : public Op {
 public:
  const OpKind& kind() const override { return concat_kind; }
  Shape shape(Shapes inputs) const override {
    if (inputs.empty()) throw UsageError("concat takes at least one input, got none");
    const Shape& first = inputs[0];
    int64_t channels = 0;
    for (const Shape& s : inputs) {
      if ((s.rank() != 2 && s.rank() != 4) || s.numel() == 0)
        throw UsageError("concat takes non-empty inputs (N, C, H, W) or (N, F), got " + s.str());
      if (s.rank() != first.rank() || s.with(1, first[1]) != first)
        throw UsageError("concat takes inputs that differ in their channels only, got " + first.str() +
                         " and " + s.str());
      channels += s[1];
    }
    return first.with(1, channels);
  }
  LayoutWish layout(Backend b, Shapes inputs) const override { return maps_wish(b, inputs[0]); }
};

// The range of y that is input `i`.
ChannelRange place(std::span<const Array> inputs, size_t i, const Shape& y) {
  int64_t offset = 0;
  for (size_t j = 0; j < i; ++j) offset += inputs[j].shape[1];
  const int64_t channels = inputs[i].shape[1];
  return {.source = channels, .from = 0, .target = y[1], .to = offset, .count = channels};
}

ChannelRange inverse(const ChannelRange& r) {
  return {.source = r.target, .from = r.to, .target = r.source, .to = r.from, .count = r.count};
}

void copy(const Queue& queue, const ChannelRange& r, const Array& x, const Array& y) {
  const Nchw s = Nchw::of(y.shape);
  if (queue.module) return device::copy_channels(queue, r, x.as<float>(), y.as<float>(), s.n, s.h * s.w);
  if (y.layout == Layout::blocked) return cpu::copy_channels(r, x.as<float>(), y.as<float>(), s.n, s.h * s.w);
  with_float_type(y.dtype, [&](auto t) {
    using T = decltype(t);
    ref::copy_channels(r, x.as<T>(), y.as<T>(), s.n, s.h * s.w);
  });
}

void forward(const Op&, const Arguments& a) {
  for (size_t i = 0; i < a.inputs.size(); ++i)
    copy(a.queue, place(a.inputs, i, a.output.shape), a.inputs[i], a.output);
}

void vjp(const Op&, const Arguments& a) {
  copy(a.queue, inverse(place(a.inputs, static_cast<size_t>(a.direction.operand), a.grad_output.shape)),
       a.grad_output, a.grad);
}

}  // namespace

extern const OpKind concat_kind{
    "concat",
    "the inputs' channels one after the other",
    {{Direction::forward, forward, forward, forward}, {Direction::vjp_input, vjp, vjp, vjp}},
    {"input"},
    true};

OpPtr concat() { return std::make_shared<ConcatOp>(); }

}  // namespace loupe
