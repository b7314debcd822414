#include "kernels/pad/pad.h"

#include <algorithm>

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind pad_kind;

namespace {

constexpr std::string_view kModes[] = {"constant", "replicate", "reflect"};

class PadOp final : public Op {
 public:
  explicit PadOp(Pad attributes) : pad_(std::move(attributes)) {
    for (const Pad::Side& s : pad_.sides)
      if (s.before < 0 || s.after < 0)
        throw UsageError("pad adds positions, got " + std::to_string(s.before) + " and " +
                         std::to_string(s.after) + " (slice takes some away)");
  }
  const OpKind& kind() const override { return pad_kind; }
  std::string describe() const override {
    std::string s(kModes[static_cast<size_t>(pad_.mode)]);
    for (const Pad::Side& side : pad_.sides)
      s += ", axis " + std::to_string(side.axis) + " by " + std::to_string(side.before) + " and " +
           std::to_string(side.after);
    return s;
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("pad", inputs, 1);
    expect_not_empty("pad", inputs[0]);
    Shape y = inputs[0];
    uint32_t named = 0;
    for (const Pad::Side& s : pad_.sides) {
      const int axis = expect_axis("pad", y, s.axis);
      if (named >> axis & 1) throw UsageError("pad names axis " + std::to_string(axis) + " twice");
      named |= 1u << axis;
      const int64_t size = inputs[0][axis];
      if (pad_.mode == Pad::Mode::reflect && std::max(s.before, s.after) >= size)
        throw UsageError("pad cannot reflect axis " + std::to_string(axis) + " of " + inputs[0].str() +
                         " by " + std::to_string(std::max(s.before, s.after)) + ": it must be longer");
      y = y.with(axis, s.before + size + s.after);
    }
    return y;
  }
  // Of images (N, C, H, W): among constants each cell sees itself; what is repeated sees further.
  std::optional<Window> window() const override {
    if (!is_constant()) return std::nullopt;
    Window w;
    for (const Pad::Side& s : pad_.sides) {
      if (s.axis == 2 || s.axis == -2) w.padding.h = s.before;
      if (s.axis == 3 || s.axis == -1) w.padding.w = s.before;
    }
    return w;
  }
  int64_t accumulation_length(Direction direction, Shapes inputs) const override {
    if (direction.is_forward() || pad_.mode == Pad::Mode::constant) return 0;
    const PadAxes p = axes(inputs[0]);
    int64_t n = 1;
    for (int d = 0; d < p.rank; ++d) n *= p.axis[d].reflects ? 3 : 1 + p.axis[d].before + p.axis[d].after;
    return n;
  }

  bool is_constant() const { return pad_.mode == Pad::Mode::constant; }
  float value() const { return static_cast<float>(pad_.value); }
  PadAxes axes(const Shape& x) const {
    PadAxes p;
    p.rank = x.rank();
    for (int d = 0; d < p.rank; ++d) p.axis[d] = {x[d], 0, 0, pad_.mode == Pad::Mode::reflect};
    for (const Pad::Side& s : pad_.sides) {
      PadAxis& axis = p.axis[s.axis < 0 ? s.axis + p.rank : s.axis];
      axis.before = s.before;
      axis.after = s.after;
    }
    return p;
  }
  // Of constant: x to its place in y.
  StridedCopy copy(const Shape& x) const {
    StridedCopy c = StridedCopy::whole(x);
    const PadAxes p = axes(x);
    int64_t stride = 1;
    for (int d = p.rank - 1; d >= 0; --d) {
      c.to[d] = stride;
      c.to_start += p.axis[d].before * stride;
      stride *= p.axis[d].padded();
    }
    return c;
  }

 private:
  Pad pad_;
};

template <Backend backend>
void forward(const Op& o, const Arguments& a) {
  const auto& op = static_cast<const PadOp&>(o);
  const Array &x = a.inputs[0], &y = a.output;
  if (op.is_constant()) {
    fill(backend, a.queue, y, op.value());
    return strided_copy(backend, a.queue, op.copy(x.shape), x, y);
  }
  const PadAxes p = op.axes(x.shape);
  if constexpr (backend == Backend::cuda) return device::pad(a.queue, p, x.as<float>(), y.as<float>());
  if constexpr (backend == Backend::cpu) return cpu::pad(p, x.as<float>(), y.as<float>());
  with_float_type(y.dtype, [&](auto t) { ref::pad(p, x.as<decltype(t)>(), y.as<decltype(t)>()); });
}

template <Backend backend>
void vjp(const Op& o, const Arguments& a) {
  const auto& op = static_cast<const PadOp&>(o);
  const Array &gy = a.grad_output, &gx = a.grad;
  if (op.is_constant()) return strided_copy(backend, a.queue, op.copy(gx.shape).inverse(), gy, gx);
  const PadAxes p = op.axes(gx.shape);
  if constexpr (backend == Backend::cuda) return device::pad_vjp(a.queue, p, gy.as<float>(), gx.as<float>());
  if constexpr (backend == Backend::cpu) return cpu::pad_vjp(p, gy.as<float>(), gx.as<float>());
  with_float_type(gx.dtype, [&](auto t) { ref::pad_vjp(p, gy.as<decltype(t)>(), gx.as<decltype(t)>()); });
}

}  // namespace

extern const OpKind pad_kind{
    "pad",
    "positions added around: a constant, the edge repeated, or mirrored",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}}};

OpPtr pad(Pad attributes) { return std::make_shared<PadOp>(std::move(attributes)); }

}  // namespace loupe
