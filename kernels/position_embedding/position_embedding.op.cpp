#include "kernels/position_embedding/position_embedding.h"

namespace loupe {

extern const OpKind position_embedding_kind;

namespace {

class PositionEmbeddingOp final : public Op {
 public:
  explicit PositionEmbeddingOp(const PositionEmbedding& e) : e_(e) {
    if (e_.width < 1 || e_.offset < 0 || e_.count <= e_.offset)
      throw UsageError(
          "position_embedding takes a table of at least one row and one number, and an offset within it, "
          "got " +
          describe());
  }
  const OpKind& kind() const override { return position_embedding_kind; }
  std::string describe() const override {
    const std::string s = std::to_string(e_.count) + "×" + std::to_string(e_.width);
    return e_.offset ? s + " from row " + std::to_string(e_.offset) : s;
  }
  std::vector<Type> infer(Types inputs) const override {
    std::vector<Shape> shapes;
    for (const Type& t : inputs) shapes.push_back(t.shape);
    expect_parameters(shapes, 1);
    const Shape& tokens = shapes[0];
    if (inputs[0].dtype != Dtype::i32 || tokens.rank() != 2)
      throw UsageError("position_embedding takes tokens i32 (N, L), got " +
                       std::string(dtype_name(inputs[0].dtype)) + " " + tokens.str());
    expect_not_empty("position_embedding", tokens);
    if (tokens[1] > e_.count - e_.offset)
      throw UsageError("there are " + std::to_string(tokens[1]) + " tokens, and " +
                       std::to_string(e_.count - e_.offset) + " positions");
    return {{.dtype = inputs[1].dtype, .shape = {tokens[0], tokens[1], e_.width}}};
  }
  std::vector<ParameterSpec> parameters(Shapes) const override {
    return {{"weight", {e_.count, e_.width}, ParameterSpec::Role::table}};
  }
  std::optional<Window> window() const override { return std::nullopt; }
  int64_t accumulation_length(Direction direction, Shapes s) const override {
    return direction.is_forward() ? 0 : s[0][0];
  }
  PositionSizes sizes(const Shape& tokens) const {
    return {tokens[0], tokens[1], e_.count, e_.width, e_.offset};
  }

 private:
  PositionEmbedding e_;
};

PositionSizes sizes(const Op& op, const Arguments& a) {
  return static_cast<const PositionEmbeddingOp&>(op).sizes(a.inputs[0].shape);
}

void host_forward(const Op& op, const Arguments& a) {
  with_float_type(a.output.dtype, [&](auto t) {
    using T = decltype(t);
    host::position_embedding(sizes(op, a), a.inputs[1].as<T>(), a.output.as<T>());
  });
}

void host_vjp(const Op& op, const Arguments& a) {
  with_float_type(a.grad.dtype, [&](auto t) {
    using T = decltype(t);
    host::position_embedding_vjp(sizes(op, a), a.grad_output.as<T>(), a.grad.as<T>());
  });
}

void device_forward(const Op& op, const Arguments& a) {
  device::position_embedding(a.queue, sizes(op, a), a.inputs[1].as<float>(), a.output.as<float>());
}

void device_vjp(const Op& op, const Arguments& a) {
  device::position_embedding_vjp(a.queue, sizes(op, a), a.grad_output.as<float>(), a.grad.as<float>());
}

}  // namespace

extern const OpKind position_embedding_kind{"position_embedding",
                                            "for each token the row of a table that belongs to its position",
                                            {{Direction::forward, host_forward, host_forward, device_forward},
                                             {Direction::vjp_weight, host_vjp, host_vjp, device_vjp}},
                                            {"tokens", "weight"}};

OpPtr position_embedding(PositionEmbedding attributes) {
  return std::make_shared<PositionEmbeddingOp>(attributes);
}

}  // namespace loupe
