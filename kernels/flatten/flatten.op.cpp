#include "kernels/flatten/flatten.h"

#include <cstring>

#include "kernels/common/copy.h"

namespace loupe {

extern const OpKind flatten_kind;

namespace {

class FlattenOp : public Op {
 public:
  const OpKind& kind() const override { return flatten_kind; }
  Shape shape(Shapes inputs) const override {
    expect_inputs("flatten", inputs, 1);
    const Shape& s = inputs[0];
    expect_not_empty("flatten", s);
    if (s.rank() == 0) throw UsageError("flatten takes an input (N, …), got a single number");
    return {s[0], s.numel() / s[0]};
  }
  LayoutWish layout(Backend, Shapes) const override { return LayoutWish::any; }
  /// A feature has no place on a map any more.
  std::optional<Window> window() const override { return std::nullopt; }
  bool is_view(Layout layout, Shapes inputs) const override {
    return layout == Layout::planar || inputs[0].rank() == 2 || inputs[0][2] * inputs[0][3] == 1;
  }
};

// Array `a` seen as image n alone, of the shape `image` = (1, …), in the given layout.
Array image_of(const Array& a, int64_t n, const Shape& image, Layout layout) {
  return {a.as<std::byte>() + n * image_bytes(a.dtype, a.shape, a.layout), a.dtype, image, layout};
}

// A blocked row of features is a planar row with zeros after it, so each image converts between blocked maps
// and a planar row.
void maps_to_features(const Array& maps, const Array& features) {
  const Shape image = maps.shape.with(0, 1);
  for (int64_t n = 0; n < maps.shape[0]; ++n) {
    const Array row = image_of(features, n, image, Layout::planar);
    convert(image_of(maps, n, image, maps.layout), row);
    const int64_t padding = image_bytes(features.dtype, features.shape, features.layout) - row.bytes();
    std::memset(row.as<std::byte>() + row.bytes(), 0, static_cast<size_t>(padding));
  }
}

void features_to_maps(const Array& features, const Array& maps) {
  const Shape image = maps.shape.with(0, 1);
  for (int64_t n = 0; n < maps.shape[0]; ++n)
    convert(image_of(features, n, image, Layout::planar), image_of(maps, n, image, maps.layout));
}

void forward(const Op&, const Arguments& a) { maps_to_features(a.inputs[0], a.output); }
void vjp(const Op&, const Arguments& a) { features_to_maps(a.grad_output, a.grad); }

// In the planar layout the bytes stay in order.
void device_forward(const Op&, const Arguments& a) {
  device::copy(a.queue, a.inputs[0].as<float>(), a.output.as<float>(), a.output.shape.numel());
}
void device_vjp(const Op&, const Arguments& a) {
  device::copy(a.queue, a.grad_output.as<float>(), a.grad.as<float>(), a.grad.shape.numel());
}

}  // namespace

extern const OpKind flatten_kind{
    "flatten",
    "maps as one row of features",
    {{Direction::forward, forward, forward, device_forward}, {Direction::vjp_input, vjp, vjp, device_vjp}}};

OpPtr flatten() { return std::make_shared<FlattenOp>(); }

}  // namespace loupe
