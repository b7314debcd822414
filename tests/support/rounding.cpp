#include "tests/support/rounding.h"

#include "kernels/elementwise/elementwise.h"

namespace loupe::test {

namespace {
std::vector<Shape> shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& t : tensors) shapes.push_back(t.shape());
  return shapes;
}

double gamma(int64_t length) {
  const double lu = static_cast<double>(length) * kUnit;
  return lu / (1 - lu);
}

int64_t length_of(const Operands& o) {
  return o.node.op->accumulation_length(Direction::forward, shapes_of(o.values));
}

/// What the first operand can carry into a sum that rounds with factor g: its error, and g times its size.
Tensor carried(const Operands& o, double g) {
  return map(o.errors[0], o.values[0], [&](double e, double x) { return e + g * (std::abs(x) + e); });
}

/// One rounding of a result that is as far from `exact` as `bound` already.
Tensor rounded(const Tensor& bound, const Tensor& exact) {
  return map(bound, exact, [](double e, double y) { return e + kUnit * (std::abs(y) + e); });
}

Tensor magnitude(const Tensor& t, double factor = 1) {
  return map(t, [&](double v) { return std::abs(v) * factor; });
}
/// A sum of products, Σ w·x + bias: conv2d, linear and others.
Tensor product_bound(const Operands& o) {
  const double g = gamma(length_of(o) + 2);
  std::vector<Tensor> sizes{carried(o, g), magnitude(o.values[1])};
  if (o.values.size() > 2) sizes.push_back(magnitude(o.values[2], g));
  return compute(*o.node.op, sizes);
}

/// Folded into a convolution, its scale multiplies that one's weights, whose sum has folded_length terms.
Tensor batch_norm_bound(const Operands& o, int64_t folded_length) {
  const double g = gamma(folded_length + 8);
  return compute(*o.node.op, {carried(o, g), magnitude(o.values[1]), magnitude(o.values[2], g),
                              magnitude(o.values[3], -g), o.values[4]});
}

/// A function of one operand; its slope is nowhere above 1.5. Its own error is so many units of 2⁻²³.
Tensor function_bound(const Operands& o, const Tensor& exact) {
  const FunctionInfo& info = function_info(o.node.op->function());
  const Tensor own = map(o.values[0], exact, [&](double x, double y) {
    return (info.ulps(x) * 0x1p-23 + (info.name == "leaky_relu" ? kUnit : 0)) * std::abs(y);
  });
  return sum(magnitude(o.errors[0], 1.5), own);
}
}  // namespace

Tensor compute(const Op& op, const std::vector<Tensor>& operands, const Tensor& record) {
  const std::vector<Shape> shapes = shapes_of(operands);
  std::vector<Type> types;
  for (const Shape& s : shapes) types.push_back({Dtype::f32, s});
  const Shape shape = op.infer(types).at(0).shape;
  if (op.is_view(Layout::planar, shapes)) return operands[0].reshape(shape);
  const Call call = op.prepare(Backend::ref, Direction::forward, shapes, {});
  const Tensor out(Dtype::f64, shape);
  const Array output = out.array();
  std::vector<Array> inputs;
  for (const Tensor& t : operands) inputs.push_back(t.array());
  std::vector<std::byte> workspace(static_cast<size_t>(call.workspace));
  Arguments a;
  a.inputs = inputs;
  a.output = output;
  a.outputs = {&output, 1};
  if (record.defined()) a.record = record.array();
  a.workspace = workspace;
  call.run(a);
  return out;
}

Tensor sum(const Tensor& a, const Tensor& b) {
  return map(a, b, [](double x, double y) { return x + y; });
}

Tensor rounding_bound(const Operands& o, const Tensor& exact, int64_t folded_length) {
  const std::string_view kind = o.node.op->kind().name;
  if (kind == "conv2d" || kind == "linear" || kind == "conv_transpose2d") return product_bound(o);
  if (kind == "batch_norm") return batch_norm_bound(o, folded_length);
  if (kind == "avg_pool2d" || kind == "adaptive_avg_pool2d" || kind == "reduce")
    return compute(*o.node.op, {carried(o, gamma(length_of(o) + 2))});
  if (kind == "add") return rounded(compute(*o.node.op, o.errors), exact);
  if (kind == "mul") {  // (a + da)(b + db) − ab = (a + da)·db + da·b
    const Tensor left = sum(magnitude(o.values[0]), o.errors[0]);
    return rounded(sum(compute(*o.node.op, {left, o.errors[1]}),
                       compute(*o.node.op, {o.errors[0], magnitude(o.values[1])})),
                   exact);
  }
  if (o.node.op->function()) return function_bound(o, exact);
  for (const std::string_view moves : {"max_pool2d", "concat", "slice", "transpose", "reshape"})
    if (kind == moves) return compute(*o.node.op, o.errors);
  if (o.node.op->is_view(Layout::planar, shapes_of(o.values))) return compute(*o.node.op, o.errors);
  throw Error("no rounding bound is known for the op " + std::string(kind));
}

}  // namespace loupe::test
