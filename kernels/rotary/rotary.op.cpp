#include "kernels/rotary/rotary.h"

#include <cmath>
#include <cstdio>

namespace loupe {

extern const OpKind rotary_kind;

namespace {

class RotaryOp final : public Op {
 public:
  explicit RotaryOp(Rotary r) : r_(r) {
    if (r_.turned == 0) r_.turned = r_.width;
    if (r_.width < 1 || r_.turned < 2 || r_.turned % 2 || r_.turned > r_.width)
      throw UsageError("rotary turns an even number of a head's channels, got " + std::to_string(r_.turned) +
                       " of " + std::to_string(r_.width));
    if (!(r_.base > 0) || !std::isfinite(r_.base) || r_.offset < 0)
      throw UsageError("rotary takes a finite base above 0 and an offset of 0 or more, got " + describe());
  }
  const OpKind& kind() const override { return rotary_kind; }
  std::string describe() const override {
    char base[32];
    std::snprintf(base, sizeof base, "%g", r_.base);
    std::string s = "heads of " + std::to_string(r_.width) + ", base " + base;
    if (r_.turned != r_.width) s += ", " + std::to_string(r_.turned) + " turned";
    if (r_.interleaved) s += ", interleaved";
    if (r_.offset) s += ", from position " + std::to_string(r_.offset);
    return s;
  }
  Shape shape(Shapes inputs) const override {
    expect_inputs("rotary", inputs, 1);
    const Shape& x = inputs[0];
    if (x.rank() != 3 || x.numel() == 0 || x[2] % r_.width)
      throw UsageError("rotary takes non-empty queries or keys (N, L, heads · " + std::to_string(r_.width) +
                       "), got " + x.str());
    return x;
  }
  std::optional<Window> window() const override { return std::nullopt; }
  bool in_place() const override { return true; }
  int64_t accumulation_length(Direction, Shapes) const override { return 2; }
  RotarySizes sizes(const Shape& x) const {
    return {x[0] * x[1], x[1], x[2] / r_.width, r_.width, r_.turned, r_.offset, r_.base, r_.interleaved};
  }

 private:
  Rotary r_;
};

template <bool back>
void on_host(const Op& op, const Arguments& a) {
  const Array &from = back ? a.grad_output : a.inputs[0], &to = back ? a.grad : a.output;
  with_float_type(to.dtype, [&](auto t) {
    using T = decltype(t);
    host::rotary(static_cast<const RotaryOp&>(op).sizes(to.shape), back, from.as<T>(), to.as<T>());
  });
}

template <bool back>
void on_device(const Op& op, const Arguments& a) {
  const Array &from = back ? a.grad_output : a.inputs[0], &to = back ? a.grad : a.output;
  device::rotary(a.queue, static_cast<const RotaryOp&>(op).sizes(to.shape), back, from.as<float>(),
                 to.as<float>());
}

}  // namespace

extern const OpKind rotary_kind{"rotary",
                                "each head's pairs of channels turned by angles that grow with the position",
                                {{Direction::forward, on_host<false>, on_host<false>, on_device<false>},
                                 {Direction::vjp_input, on_host<true>, on_host<true>, on_device<true>}}};

OpPtr rotary(Rotary attributes) { return std::make_shared<RotaryOp>(attributes); }

}  // namespace loupe
