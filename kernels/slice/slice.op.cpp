#include "kernels/slice/slice.h"

#include <algorithm>

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind slice_kind;

namespace {

class SliceOp final : public MoveOp {
 public:
  explicit SliceOp(const Slice& attributes) : slice_(attributes) {
    if (slice_.step < 1)
      throw UsageError("slice takes a step of at least 1, got " + std::to_string(slice_.step));
  }
  const OpKind& kind() const override { return slice_kind; }
  std::string describe() const override {
    const auto limit = [](int64_t i, int64_t open) { return i == open ? std::string() : std::to_string(i); };
    return "axis " + std::to_string(slice_.axis) + ", " + limit(slice_.begin, 0) + ":" +
           limit(slice_.end, INT64_MAX) + (slice_.step == 1 ? "" : ":" + std::to_string(slice_.step));
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("slice", inputs, 1);
    expect_not_empty("slice", inputs[0]);
    const Part p = part(inputs[0]);
    if (p.count < 1) throw UsageError("slice " + describe() + " leaves nothing of " + inputs[0].str());
    return inputs[0].with(p.axis, p.count);
  }
  // Of images (N, C, H, W): some channels are seen as all of them were, some rows or columns lie further apart.
  std::optional<Window> window() const override {
    if (slice_.axis == 0 || slice_.axis == 1) return Window{};
    if (slice_.begin < 0) return std::nullopt;  // where that is depends on the size
    if (slice_.axis == 2) return Window{.stride = Pair(slice_.step, 1), .padding = Pair(-slice_.begin, 0)};
    if (slice_.axis == 3) return Window{.stride = Pair(1, slice_.step), .padding = Pair(0, -slice_.begin)};
    return std::nullopt;
  }

  StridedCopy copy(const Shape& x) const {
    const Part p = part(x);
    StridedCopy c = StridedCopy::whole(x.with(p.axis, p.count));
    for (int d = 0; d < p.axis; ++d) c.from[d] = c.from[d] / p.count * x[p.axis];
    c.from_start = p.begin * c.from[p.axis];
    c.from[p.axis] *= slice_.step;
    return c;
  }

 private:
  struct Part {
    int axis;
    int64_t begin, count;
  };
  Part part(const Shape& x) const {
    const int axis = expect_axis("slice", x, slice_.axis);
    const int64_t size = x[axis];
    const auto from_front = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
    const int64_t begin = from_front(slice_.begin), length = from_front(slice_.end) - begin;
    return {axis, begin, length > 0 ? (length - 1) / slice_.step + 1 : 0};
  }
  Slice slice_;
};

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  const StridedCopy copy = static_cast<const SliceOp&>(op).copy(a.inputs[0].shape);
  strided_copy(backend, a.queue, copy, a.inputs[0], a.output);
}

template <Backend backend>
void vjp(const Op& op, const Arguments& a) {
  fill(backend, a.queue, a.grad, 0);
  const StridedCopy copy = static_cast<const SliceOp&>(op).copy(a.grad.shape);
  strided_copy(backend, a.queue, copy.inverse(), a.grad_output, a.grad);
}

}  // namespace

extern const OpKind slice_kind{
    "slice",
    "some positions of one axis",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}}};

OpPtr slice(Slice attributes) { return std::make_shared<SliceOp>(attributes); }

}  // namespace loupe
