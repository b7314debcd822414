#include "kernels/concat/concat.h"

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind concat_kind;

namespace {

class ConcatOp final : public MoveOp {
 public:
  explicit ConcatOp(int axis) : axis_(axis) {}
  const OpKind& kind() const override { return concat_kind; }
  std::string describe() const override { return axis_ == 1 ? "" : "axis " + std::to_string(axis_); }
  Shape shape(Shapes inputs) const override {
    if (inputs.empty()) throw UsageError("concat takes at least one input, got none");
    const Shape& first = inputs[0];
    const int axis = expect_axis("concat", first, axis_);
    int64_t size = 0;
    for (const Shape& s : inputs) {
      expect_not_empty("concat", s);
      if (s.rank() != first.rank() || s.with(axis, first[axis]) != first)
        throw UsageError("concat takes inputs that differ in " +
                         (axis == 1 ? "their channels" : "axis " + std::to_string(axis)) + " only, got " +
                         first.str() + " and " + s.str());
      size += s[axis];
    }
    return first.with(axis, size);
  }
  std::vector<Type> infer(Types inputs) const override {
    for (const Type& t : inputs)
      if (t.dtype != inputs[0].dtype)
        throw UsageError("concat takes inputs of one type, got " + std::string(dtype_name(inputs[0].dtype)) +
                         " and " + std::string(dtype_name(t.dtype)));
    return MoveOp::infer(inputs);
  }
  LayoutWish layout(Backend backend, Shapes inputs) const override {
    return axis(inputs[0]) == 1 ? maps_wish(backend, inputs[0]) : LayoutWish::planar;
  }
  std::optional<OnWindow> on_window(Shapes inputs) const override {
    if (inputs[0].rank() != 4 || axis(inputs[0]) != 1 || inputs.size() > 64) return std::nullopt;
    return OnWindow{.maps = ~uint64_t{0}};
  }
  int axis(const Shape& s) const { return axis_ < 0 ? axis_ + s.rank() : axis_; }

 private:
  int axis_;
};

// Where input i begins in y.
int64_t offset(std::span<const Array> inputs, size_t i, int axis) {
  int64_t n = 0;
  for (size_t j = 0; j < i; ++j) n += inputs[j].shape[axis];
  return n;
}

// From input i to its place in y, or back again.
void copy(Backend backend, const Op& op, const Arguments& a, size_t i, const Array& y, bool back) {
  const Shape& part = a.inputs[i].shape;
  const int axis = static_cast<const ConcatOp&>(op).axis(part);
  const int64_t begin = offset(a.inputs, i, axis);
  const Array &from = back ? y : a.inputs[i], &to = back ? a.grad : y;
  if (y.layout == Layout::blocked) {
    const Nchw s = Nchw::of(part);
    const ChannelRange r{.source = s.c, .from = 0, .target = y.shape[1], .to = begin, .count = s.c};
    return cpu::copy_channels(back ? r.inverse() : r, from.as<float>(), to.as<float>(), s.n, s.h * s.w);
  }
  StridedCopy c = StridedCopy::whole(part);
  for (int d = 0; d < axis; ++d) c.to[d] = c.to[d] / part[axis] * y.shape[axis];
  c.to_start = begin * c.to[axis];
  strided_copy(backend, a.queue, back ? c.inverse() : c, from, to);
}

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  for (size_t i = 0; i < a.inputs.size(); ++i) copy(backend, op, a, i, a.output, false);
}

template <Backend backend>
void vjp(const Op& op, const Arguments& a) {
  copy(backend, op, a, static_cast<size_t>(a.direction.operand), a.grad_output, true);
}

}  // namespace

extern const OpKind concat_kind{
    .name = "concat",
    .summary = "the inputs one after the other along an axis",
    .kernels = {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
                {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}},
    .variadic = true};

OpPtr concat(int axis) { return std::make_shared<ConcatOp>(axis); }

}  // namespace loupe
