#include "kernels/gather/gather.h"

#include "kernels/common/strided_copy.h"

namespace loupe {

extern const OpKind gather_kind;

namespace {

class GatherOp final : public Op {
 public:
  explicit GatherOp(int axis) : axis_(axis) {}
  const OpKind& kind() const override { return gather_kind; }
  std::string describe() const override { return "axis " + std::to_string(axis_); }
  std::vector<Type> infer(Types inputs) const override {
    if (inputs.size() != 2) throw UsageError("gather takes 2 inputs, got " + std::to_string(inputs.size()));
    const auto& [real, x, layout] = inputs[0];
    const Shape& indices = inputs[1].shape;
    if (inputs[1].dtype != Dtype::i32 || (real != Dtype::f32 && real != Dtype::f64))
      throw UsageError("gather takes floats and indices i32, got " + std::string(dtype_name(real)) + " and " +
                       std::string(dtype_name(inputs[1].dtype)));
    expect_not_empty("gather", x);
    expect_not_empty("gather", indices);
    const int axis = expect_axis("gather", x, axis_);
    if (x.rank() - 1 + indices.rank() > Shape::kMaxRank)
      throw UsageError("gather of " + x.str() + " by " + indices.str() + " has more than 6 dimensions");
    std::vector<int64_t> dims;
    for (int d = 0; d < axis; ++d) dims.push_back(x[d]);
    dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
    for (int d = axis + 1; d < x.rank(); ++d) dims.push_back(x[d]);
    return {{.dtype = real, .shape = Shape(dims)}};
  }
  std::optional<Window> window() const override { return std::nullopt; }
  Needs needs(Direction direction) const override { return {.operands = direction.is_forward() ? 0u : 2u}; }
  int64_t accumulation_length(Direction direction, Shapes s) const override {
    return direction.is_forward() ? 0 : s[1].numel();
  }
  GatherSizes sizes(const Shape& x, const Shape& indices) const {
    const int axis = axis_ < 0 ? axis_ + x.rank() : axis_;
    return {product(x, 0, axis), x[axis], product(x, axis + 1, x.rank()), indices.numel()};
  }

 private:
  int axis_;
};

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  const GatherSizes s = static_cast<const GatherOp&>(op).sizes(a.inputs[0].shape, a.inputs[1].shape);
  gather_on<backend>("gather", a, s, a.inputs[0], a.inputs[1], a.output, false);
}

template <Backend backend>
void vjp(const Op& op, const Arguments& a) {
  const GatherSizes s = static_cast<const GatherOp&>(op).sizes(a.inputs[0].shape, a.inputs[1].shape);
  gather_on<backend>("gather", a, s, a.grad_output, a.inputs[1], a.grad, true);
}

}  // namespace

void expect_indices(std::string_view op, const int32_t* indices, const GatherSizes& s) {
  for (int64_t k = 0; k < s.picks; ++k)
    if (indices[k] < 0 || indices[k] >= s.count)
      throw UsageError(std::string(op) + ": index " + std::to_string(indices[k]) + " (number " +
                       std::to_string(k) + ") is not below " + std::to_string(s.count));
}

extern const OpKind gather_kind{
    "gather",
    "rows of an axis by their numbers",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_input, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}},
    {"input", "indices"}};

OpPtr gather(int axis) { return std::make_shared<GatherOp>(axis); }

}  // namespace loupe
