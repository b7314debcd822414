#include "kernels/rms_norm/rms_norm.h"

#include "kernels/layer_norm/norm.h"

namespace loupe {

extern const OpKind rms_norm_kind;

namespace {

class RmsNormOp : public NormOp {
 public:
  explicit RmsNormOp(const RmsNorm& c) : eps_(c.eps) {
    if (!(c.eps >= 0)) throw UsageError("rms_norm: eps must be 0 or more");
  }
  const OpKind& kind() const override { return rms_norm_kind; }
  bool has_bias() const override { return false; }
  Norm sizes(const Shape& x) const override {
    expect_not_empty("rms_norm", x);
    if (x.rank() < 2) throw UsageError("rms_norm takes an input (N, …, F), got " + x.str());
    return {.outer = x.numel() / x.back(), .length = x.back(), .centred = false, .eps = eps_};
  }
  Shape weight_shape(const Shape& x) const override { return {x.back()}; }

 private:
  double eps_;
};

std::vector<OpKind::Row> without_bias(std::vector<OpKind::Row> rows) {
  std::erase_if(rows, [](const OpKind::Row& r) { return r.direction == Direction::vjp_bias; });
  return rows;
}

}  // namespace

extern const OpKind rms_norm_kind{
    .name = "rms_norm",
    .summary = "root mean square 1 along the last axis, then a weight",
    .kernels = without_bias(norm_kernels()),
    .operands = {"input", "weight"},
};

OpPtr rms_norm(RmsNorm config) { return std::make_shared<RmsNormOp>(config); }

}  // namespace loupe
