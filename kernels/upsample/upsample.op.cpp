#include "kernels/upsample/upsample.h"

#include <cmath>

namespace loupe {

extern const OpKind upsample_kind;

namespace {

class UpsampleOp final : public Op {
 public:
  explicit UpsampleOp(const Upsample& u) : u_(u) {
    const bool by_size = u_.size != Pair(0), by_scale = u_.scale != 0;
    if (by_size == by_scale || !std::isfinite(u_.scale) || u_.scale < 0 ||
        (by_size && (u_.size.h < 1 || u_.size.w < 1)))
      throw UsageError("upsample takes either a positive scale or a size of at least 1×1, got " +
                       std::to_string(u_.scale) + " and " + u_.size.str());
    if (u_.align_corners && u_.mode == Upsample::Mode::nearest)
      throw UsageError("upsample aligns corners in bilinear mode only");
  }
  const OpKind& kind() const override { return upsample_kind; }
  std::string describe() const override {
    std::string s = u_.mode == Upsample::Mode::nearest ? "nearest" : "bilinear";
    char scale[32];
    std::snprintf(scale, sizeof scale, "%g", u_.scale);
    s += u_.scale != 0 ? ", by " + std::string(scale) : ", to " + u_.size.str();
    return s + (u_.align_corners ? ", corners aligned" : "");
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("upsample", inputs, 1);
    const Nchw x = expect_maps("upsample", inputs[0]);
    const double h = u_.scale * static_cast<double>(x.h), w = u_.scale * static_cast<double>(x.w);
    if (u_.scale != 0 && (h < 1 || w < 1 || h > 1e9 || w > 1e9))
      throw UsageError("upsample " + describe() + " makes no map of " + inputs[0].str());
    if (u_.scale == 0) return {x.n, x.c, u_.size.h, u_.size.w};
    return {x.n, x.c, static_cast<int64_t>(h), static_cast<int64_t>(w)};
  }
  std::optional<Window> window() const override { return std::nullopt; }  // no stride of whole cells
  LayoutWish layout(Backend backend, Shapes inputs) const override { return maps_wish(backend, inputs[0]); }
  int64_t accumulation_length(Direction direction, Shapes inputs) const override {
    const UpsampleAxes a = axes(inputs[0]);
    if (direction.is_forward()) return u_.mode == Upsample::Mode::nearest ? 0 : 4;
    return overlap(a.rows) * overlap(a.columns);
  }

  UpsampleAxes axes(const Shape& x) const {
    const Shape y = shape({&x, 1});
    return {axis(x[2], y[2]), axis(x[3], y[3])};
  }

 private:
  UpsampleAxis axis(int64_t in, int64_t out) const {
    const auto cells = static_cast<double>(in), made = static_cast<double>(out);
    double ratio = u_.scale != 0 ? 1 / u_.scale : cells / made;
    if (u_.align_corners) ratio = out > 1 ? (cells - 1) / (made - 1) : 0;
    return {in, out, ratio, u_.mode == Upsample::Mode::nearest, u_.align_corners};
  }
  // The most rows of the output that one of the input is in.
  static int64_t overlap(const UpsampleAxis& a) {
    int64_t most = 0;
    for (int64_t row = 0; row < a.in; ++row)
      most = std::max(most, a.first_from(row + 2) - a.first_from(row));  // as `high`, and as `low`
    return most;
  }
  Upsample u_;
};

UpsampleAxes axes_of(const Op& op, const Shape& x) { return static_cast<const UpsampleOp&>(op).axes(x); }

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  const Array &x = a.inputs[0], &y = a.output;
  const UpsampleAxes axes = axes_of(op, x.shape);
  const int64_t n = x.shape[0], c = x.shape[1];
  if constexpr (backend == Backend::cuda)
    return device::upsample(a.queue, axes, x.as<float>(), y.as<float>(), n * c);
  if constexpr (backend == Backend::cpu)
    return cpu::upsample(axes, x.as<float>(), y.as<float>(), n * blocks(c));
  with_float_type(y.dtype, [&](auto t) {
    using T = decltype(t);
    ref::upsample(axes, x.as<T>(), y.as<T>(), n * c);
  });
}

template <Backend backend>
void vjp(const Op& op, const Arguments& a) {
  const Array &gy = a.grad_output, &gx = a.grad;
  const UpsampleAxes axes = axes_of(op, gx.shape);
  const int64_t n = gx.shape[0], c = gx.shape[1];
  if constexpr (backend == Backend::cuda)
    return device::upsample_vjp(a.queue, axes, gy.as<float>(), gx.as<float>(), n * c);
  if constexpr (backend == Backend::cpu)
    return cpu::upsample_vjp(axes, gy.as<float>(), gx.as<float>(), n * blocks(c));
  with_float_type(gx.dtype, [&](auto t) {
    using T = decltype(t);
    ref::upsample_vjp(axes, gy.as<T>(), gx.as<T>(), n * c);
  });
}

}  // namespace

extern const OpKind upsample_kind{
    "upsample",
    "maps at another size, nearest or bilinear",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}}};

OpPtr upsample(Upsample attributes) { return std::make_shared<UpsampleOp>(attributes); }

}  // namespace loupe
