#include "kernels/expand/expand.h"

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind expand_kind;

namespace {

class ExpandOp final : public MoveOp {
 public:
  const OpKind& kind() const override { return expand_kind; }
  Shape shape(Shapes inputs) const override {
    expect_inputs("expand", inputs, 2);
    for (const Shape& s : inputs) expect_not_empty("expand", s);
    const Shape &x = inputs[0], &like = inputs[1];
    if (x.rank() == 0 || like.rank() == 0 || (x[0] != 1 && x[0] != like[0]))
      throw UsageError("expand repeats a first dimension of 1, got " + x.str() + " to be like " + like.str());
    return x.with(0, like[0]);
  }
  std::optional<Window> window() const override { return std::nullopt; }
  int64_t accumulation_length(Direction direction, Shapes inputs) const override {
    return direction == Direction::vjp_input && inputs[0][0] == 1 ? inputs[1][0] : 0;
  }
};

template <Backend backend>
void forward(const Op&, const Arguments& a) {
  StridedCopy copy = StridedCopy::whole(a.output.shape);
  if (a.inputs[0].shape[0] == 1) copy.from[0] = 0;
  strided_copy(backend, a.queue, copy, a.inputs[0], a.output);
}

template <Backend backend>
void vjp(const Op&, const Arguments& a) {
  const int64_t images = a.grad_output.shape[0], image = a.grad_output.shape.numel() / images;
  if (a.grad.shape == a.grad_output.shape)
    return strided_copy(backend, a.queue, StridedCopy::whole(a.grad.shape), a.grad_output, a.grad);
  if constexpr (backend == Backend::cuda)
    return device::sum_over_batch(a.queue, a.grad_output.as<float>(), a.grad.as<float>(), images, image);
  if constexpr (backend == Backend::cpu)
    return cpu::sum_over_batch(a.grad_output.as<float>(), a.grad.as<float>(), images, image);
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    ref::sum_over_batch(a.grad_output.as<T>(), a.grad.as<T>(), images, image);
  });
}

template <Backend backend>
void vjp_like(const Op&, const Arguments& a) {
  fill(backend, a.queue, a.grad, 0);
}

}  // namespace

extern const OpKind expand_kind{
    "expand",
    "one image repeated for a whole batch",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>},
     {Direction::vjp(1), vjp_like<Backend::ref>, vjp_like<Backend::cpu>, vjp_like<Backend::cuda>}},
    {"input", "like"}};

OpPtr expand() { return std::make_shared<ExpandOp>(); }

}  // namespace loupe
