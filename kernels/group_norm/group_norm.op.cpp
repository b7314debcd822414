#include "kernels/group_norm/group_norm.h"

#include "kernels/layer_norm/norm.h"

namespace loupe {

extern const OpKind group_norm_kind;

namespace {

class GroupNormOp : public NormOp {
 public:
  explicit GroupNormOp(const GroupNorm& c) : c_(c) {
    if (c.groups < 1) throw UsageError("group_norm needs one group at least");
    if (!(c.eps >= 0)) throw UsageError("group_norm: eps must be 0 or more");
  }
  const OpKind& kind() const override { return group_norm_kind; }
  std::string describe() const override { return std::to_string(c_.groups) + " groups"; }
  Norm sizes(const Shape& x) const override {
    expect_not_empty("group_norm", x);
    if (x.rank() < 2) throw UsageError("group_norm takes an input (N, C, …), got " + x.str());
    if (x[1] % c_.groups != 0)
      throw UsageError("group_norm: " + std::to_string(x[1]) + " channels do not make " +
                       std::to_string(c_.groups) + " equal groups");
    const int64_t length = x.numel() / x[0] / c_.groups;
    return {.outer = x[0] * c_.groups,
            .length = length,
            .groups = c_.groups,
            .share = x.numel() / x[0] / x[1],
            .eps = c_.eps};
  }
  Shape weight_shape(const Shape& x) const override { return {x[1]}; }

 private:
  GroupNorm c_;
};

}  // namespace

extern const OpKind group_norm_kind{
    .name = "group_norm",
    .summary = "mean 0 and variance 1 in every group of an image's channels, then weight and bias",
    .kernels = norm_kernels(),
    .operands = {"input", "weight", "bias"},
};

OpPtr group_norm(GroupNorm config) { return std::make_shared<GroupNormOp>(config); }

}  // namespace loupe
