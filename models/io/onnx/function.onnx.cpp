// Activations: each is one of the engine's functions.
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;

void apply(NodeImport& n, OpPtr op) { n.output(n.add(std::move(op), {n.port(0)})); }

template <OpPtr (*make)()>
void plain(NodeImport& n) {
  apply(n, make());
}
OpPtr make(const char* name) { return function_op(name); }

void elu_node(NodeImport& n) { apply(n, elu(n.f("alpha", 1))); }
void leaky_relu_node(NodeImport& n) { apply(n, leaky_relu(n.f("alpha", 0.01))); }
void gelu_node(NodeImport& n) { apply(n, n.s("approximate", "none") == "tanh" ? gelu_tanh() : gelu()); }

// HardSigmoid: max(0, min(1, alpha·x + beta)); PyTorch's, with alpha = 1/6 and beta = 1/2, is a function.
void hard_sigmoid_node(NodeImport& n) {
  const double alpha = n.f("alpha", 0.2), beta = n.f("beta", 0.5);
  if (std::abs(alpha - 1.0 / 6) < 1e-6 && beta == 0.5) return apply(n, hard_sigmoid());
  const auto number = [&](const char* name, double value) {
    const float v = static_cast<float>(value);
    return n.constant(name, Tensor::from(std::span(&v, 1), {1}));
  };
  const Value scaled = n.add("scaled", mul(), {n.port(0), number("alpha", alpha)});
  n.output(n.add(clamp(0, 1), {n.add("raised", add(), {scaled.port, number("beta", beta)}).port}));
}

// Bounds are attributes before opset 11, operands since; either may be absent.
void clip(NodeImport& n) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double low = n.opset < 11 ? n.f("min", -kInfinity) : n.scalar(1, -kInfinity);
  const double high = n.opset < 11 ? n.f("max", kInfinity) : n.scalar(2, kInfinity);
  if (low == 0 && high == 6) return apply(n, relu6());
  if (low == 0 && high >= std::numeric_limits<float>::max()) return apply(n, relu());
  apply(n, clamp(low, high));
}
Folded fold_clip(const NodeImport& n, std::span<const Constant* const> operands) {
  const Constant& x = *operands[0];
  const auto bound = [&](size_t k, const char* name, double otherwise) {
    if (n.opset < 11) return n.f(name, otherwise);
    return operands.size() > k && operands[k] ? operands[k]->real(0) : otherwise;
  };
  const double low = bound(1, "min", -HUGE_VAL), high = bound(2, "max", HUGE_VAL);
  return {
      map_elements(x, x.type, [&](auto v) { return std::min(std::max(static_cast<double>(v), low), high); })};
}

// f of a constant, in double.
template <double (*f)(double)>
Folded fold_function(const NodeImport&, std::span<const Constant* const> operands) {
  return {map_elements(*operands[0], operands[0]->type, [](auto v) { return f(static_cast<double>(v)); })};
}
double root(double x) { return std::sqrt(x); }
double magnitude(double x) { return std::abs(x); }
double exponential(double x) { return std::exp(x); }
double logarithm(double x) { return std::log(x); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double hyperbolic(double x) { return std::tanh(x); }
double soft_plus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double rectified(double x) { return x < 0 ? 0 : x; }

OpPtr make_relu() { return relu(); }
OpPtr make_sigmoid() { return sigmoid(); }
OpPtr make_tanh() { return make("tanh"); }
OpPtr make_exp() { return make("exp"); }
OpPtr make_log() { return make("log"); }
OpPtr make_sqrt() { return make("sqrt"); }
OpPtr make_abs() { return make("abs"); }
OpPtr make_softplus() { return make("softplus"); }
OpPtr make_mish() { return make("mish"); }
OpPtr make_hard_swish() { return make("hard_swish"); }

}  // namespace

extern const OnnxGroup function_onnx;
const OnnxGroup function_onnx{{
    {"Relu", plain<make_relu>, fold_function<rectified>},
    {"Sigmoid", plain<make_sigmoid>, fold_function<logistic>},
    {"Tanh", plain<make_tanh>, fold_function<hyperbolic>},
    {"Exp", plain<make_exp>, fold_function<exponential>},
    {"Log", plain<make_log>, fold_function<logarithm>},
    {"Sqrt", plain<make_sqrt>, fold_function<root>},
    {"Abs", plain<make_abs>, fold_function<magnitude>},
    {"Softplus", plain<make_softplus>, fold_function<soft_plus>},
    {"Mish", plain<make_mish>},
    {"HardSwish", plain<make_hard_swish>},
    {"HardSigmoid", hard_sigmoid_node},
    {"Elu", elu_node},
    {"LeakyRelu", leaky_relu_node},
    {"Gelu", gelu_node},
    {"Clip", clip, fold_clip},
}};

}  // namespace loupe
