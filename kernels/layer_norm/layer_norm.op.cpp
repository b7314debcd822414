#include "kernels/layer_norm/layer_norm.h"

#include "kernels/layer_norm/norm.h"

namespace loupe {

extern const OpKind layer_norm_kind;

namespace {

class LayerNormOp : public NormOp {
 public:
  explicit LayerNormOp(const LayerNorm& c) : c_(c) {
    if (!(c.eps >= 0)) throw UsageError("layer_norm: eps must be 0 or more");
    if (!c.channels && c.axes < 1) throw UsageError("layer_norm needs one axis at least");
  }
  const OpKind& kind() const override { return layer_norm_kind; }
  std::string describe() const override {
    if (c_.channels) return "over channels";
    return c_.axes == 1 ? "" : "over the last " + std::to_string(c_.axes) + " axes";
  }
  bool affine() const override { return c_.affine; }
  LayoutWish layout(Backend b, Shapes) const override {
    return c_.channels && b == Backend::cpu ? LayoutWish::blocked : LayoutWish::planar;
  }

  Norm sizes(const Shape& x) const override {
    Norm n{.eps = c_.eps};
    if (c_.channels) {
      const Nchw maps = expect_maps("layer_norm over channels", x);
      n.outer = maps.n;
      n.length = maps.c;
      n.inner = maps.h * maps.w;
      return n;
    }
    expect_not_empty("layer_norm", x);
    if (x.rank() <= c_.axes)
      throw UsageError("layer_norm over the last " + std::to_string(c_.axes) +
                       " axes takes an input with a batch before them, got " + x.str());
    n.length = weight_shape(x).numel();
    n.outer = x.numel() / n.length;
    return n;
  }
  Shape weight_shape(const Shape& x) const override {
    if (c_.channels) return {x[1]};
    return Shape(x.dims().last(static_cast<size_t>(c_.axes)));
  }

 private:
  LayerNorm c_;
};

}  // namespace

extern const OpKind layer_norm_kind{
    .name = "layer_norm",
    .summary = "mean 0 and variance 1 at every place, then weight and bias",
    .kernels = norm_kernels(),
    .operands = {"input", "weight", "bias"},
};

OpPtr layer_norm(LayerNorm config) { return std::make_shared<LayerNormOp>(config); }

}  // namespace loupe
