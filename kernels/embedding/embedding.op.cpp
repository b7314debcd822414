#include "kernels/embedding/embedding.h"

#include "kernels/gather/gather.h"

namespace loupe {

extern const OpKind embedding_kind;

namespace {

class EmbeddingOp final : public Op {
 public:
  explicit EmbeddingOp(const Embedding& e) : e_(e) {
    if (e_.count < 1 || e_.width < 1 || e_.count > INT32_MAX)
      throw UsageError("embedding takes a table of 1 to 2^31 − 1 rows, each of at least one number, got " +
                       describe());
  }
  const OpKind& kind() const override { return embedding_kind; }
  std::string describe() const override { return std::to_string(e_.count) + "×" + std::to_string(e_.width); }
  std::vector<Type> infer(Types inputs) const override {
    std::vector<Shape> shapes;
    for (const Type& t : inputs) shapes.push_back(t.shape);
    expect_parameters(shapes, 1);
    const Shape& tokens = shapes[0];
    if (inputs[0].dtype != Dtype::i32 || tokens.rank() >= Shape::kMaxRank)
      throw UsageError("embedding takes tokens i32 of at most 5 dimensions, got " +
                       std::string(dtype_name(inputs[0].dtype)) + " " + tokens.str());
    expect_not_empty("embedding", tokens);
    std::vector<int64_t> dims(tokens.dims().begin(), tokens.dims().end());
    dims.push_back(e_.width);
    return {{.dtype = inputs[1].dtype, .shape = Shape(dims)}};
  }
  std::vector<ParameterSpec> parameters(Shapes) const override {
    return {{"weight", {e_.count, e_.width}, ParameterSpec::Role::table}};
  }
  std::optional<Window> window() const override { return std::nullopt; }
  Needs needs(Direction direction) const override { return {.operands = direction.is_forward() ? 0u : 1u}; }
  int64_t accumulation_length(Direction direction, Shapes s) const override {
    return direction.is_forward() ? 0 : s[0].numel();
  }
  GatherSizes sizes(const Shape& tokens) const { return {1, e_.count, e_.width, tokens.numel()}; }

 private:
  Embedding e_;
};

template <Backend backend>
void forward(const Op& op, const Arguments& a) {
  const GatherSizes s = static_cast<const EmbeddingOp&>(op).sizes(a.inputs[0].shape);
  gather_on<backend>("embedding", a, s, a.inputs[1], a.inputs[0], a.output, false);
}

template <Backend backend>
void vjp(const Op& op, const Arguments& a) {
  const GatherSizes s = static_cast<const EmbeddingOp&>(op).sizes(a.inputs[0].shape);
  gather_on<backend>("embedding", a, s, a.grad_output, a.inputs[0], a.grad, true);
}

}  // namespace

extern const OpKind embedding_kind{
    "embedding",
    "a row of a table for each token",
    {{Direction::forward, forward<Backend::ref>, forward<Backend::cpu>, forward<Backend::cuda>},
     {Direction::vjp_weight, vjp<Backend::ref>, vjp<Backend::cpu>, vjp<Backend::cuda>}},
    {"tokens", "weight"}};

OpPtr embedding(Embedding attributes) { return std::make_shared<EmbeddingOp>(attributes); }

}  // namespace loupe
