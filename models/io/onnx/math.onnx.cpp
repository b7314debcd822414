// Functions of a number that are no activation of the engine's: made of others in a run, or of constants alone.
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

template <double (*f)(double)>
Folded fold_function(const NodeImport&, Operands operands) {
  return {map_elements(*operands[0], operands[0]->type, [](auto v) { return f(static_cast<double>(v)); })};
}
// f(x, attribute …) of constants.
template <typename F>
Folded fold_by(Operands operands, const F& f) {
  return {map_elements(*operands[0], operands[0]->type, [&](auto v) { return f(static_cast<double>(v)); })};
}

double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double softsign_of(double x) { return x / (1 + std::abs(x)); }

// ---- in a run

// γ·elu(x, α), with the paper's numbers (G. Klambauer et al. 2017).
void selu(NodeImport& n) {
  const double alpha = n.f("alpha", 1.67326319217681884765625),
               gamma = n.f("gamma", 1.05070102214813232421875);
  const Value y = n.add("elu", elu(alpha), {n.port(0)});
  n.output(n.add(mul(), {y.port, number(n, "gamma", gamma)}));
}
// α·elu(x / α, 1).
void celu(NodeImport& n) {
  const double alpha = n.f("alpha", 1);
  const Value x = n.add("scaled", mul(), {n.port(0), number(n, "inverse", 1 / alpha)});
  const Value y = n.add("elu", elu(1), {x.port});
  n.output(n.add(mul(), {y.port, number(n, "alpha", alpha)}));
}
// x / (1 + |x|).
void softsign(NodeImport& n) {
  const Value size = n.add("size", function_op("abs"), {n.port(0)});
  const Value below = n.add("below", add(), {size.port, number(n, "one", 1)});
  n.output(n.add(loupe::div(), {n.port(0), below.port}));
}
// x·sigmoid(α·x).
void swish(NodeImport& n) {
  const double alpha = n.f("alpha", 1);
  if (alpha == 1) return n.output(n.add(silu(), {n.port(0)}));
  const Value x = n.add("scaled", mul(), {n.port(0), number(n, "alpha", alpha)});
  const Value gate = n.add("gate", sigmoid(), {x.port});
  n.output(n.add(mul(), {n.port(0), gate.port}));
}
// x where x > α, else 0.
void thresholded_relu(NodeImport& n) {
  const Value on = n.add("on", less(), {number(n, "alpha", n.f("alpha", 1)), n.port(0)});
  n.output(n.add(keep(), {n.port(0), on.port}));
}
// x + bias below −λ, x − bias above λ, 0 between.
void shrink(NodeImport& n) {
  const double bias = n.f("bias", 0), lambda = n.f("lambd", 0.5);
  const Value low = n.add("low", less(), {n.port(0), number(n, "minus_lambda", -lambda)});
  const Value high = n.add("high", less(), {number(n, "lambda", lambda), n.port(0)});
  const Port b = number(n, "bias", bias);
  const Value raised = n.add("raised", add(), {n.port(0), b}),
              lowered = n.add("lowered", sub(), {n.port(0), b});
  n.output(n.add(add(), {n.add("below", keep(), {raised.port, low.port}).port,
                         n.add("above", keep(), {lowered.port, high.port}).port}));
}
// max(x, 0) + slope·min(x, 0).
void prelu(NodeImport& n) {
  const Port zero = number(n, "zero", 0);
  const Value up = n.add("up", relu(), {n.port(0)});
  const Value down = n.add("down", minimum(), {n.port(0), zero});
  const Value sloped = n.add("sloped", mul(), {down.port, n.port(1)});
  n.output(n.add(add(), {up.port, sloped.port}));
}
// −1, 0 or 1; no signal passes.
void sign(NodeImport& n) {
  const Port zero = number(n, "zero", 0);
  const Value up = n.add("positive", less(), {zero, n.port(0)}),
              down = n.add("negative", less(), {n.port(0), zero});
  n.output(n.add(sub(), {up.port, down.port}));
}
// (eˣ − e⁻ˣ) / 2 and (eˣ + e⁻ˣ) / 2.
template <OpPtr (*combine)()>
void hyperbolic(NodeImport& n) {
  const Value up = n.add("up", function_op("exp"), {n.port(0)});
  const Value negative = n.add("negative", mul(), {n.port(0), number(n, "minus_one", -1)});
  const Value down = n.add("down", function_op("exp"), {negative.port});
  const Value both = n.add("both", combine(), {up.port, down.port});
  n.output(n.add(mul(), {both.port, number(n, "half", 0.5)}));
}
// x ≠ x: 1 minus x = x.
void is_nan(NodeImport& n) {
  const Value same = n.add("same", loupe::equal(), {n.port(0), n.port(0)});
  n.output(typed(n.add(sub(), {number(n, "one", 1), same.port}), ElementType::boolean));
}
void is_inf(NodeImport& n) {
  const bool up = n.i("detect_positive", 1) != 0, down = n.i("detect_negative", 1) != 0;
  if (!up && !down) n.unsupported("that looks for neither");
  Port x = n.port(0);
  if (up && down) x = n.add("size", function_op("abs"), {x}).port;
  const double infinity = up ? HUGE_VAL : -HUGE_VAL;
  n.output(typed(n.add(loupe::equal(), {x, number(n, "infinity", infinity)}), ElementType::boolean));
}

// ---- of constants

Folded fold_celu(const NodeImport& n, Operands operands) {
  const double a = n.f("alpha", 1);
  return fold_by(operands, [=](double x) { return x > 0 ? x : a * std::expm1(x / a); });
}
Folded fold_is_nan(const NodeImport&, Operands operands) {
  return {map_elements(*operands[0], ElementType::boolean, [](auto v) { return v != v; })};
}
Folded fold_is_inf(const NodeImport& n, Operands operands) {
  const bool up = n.i("detect_positive", 1) != 0, down = n.i("detect_negative", 1) != 0;
  return {map_elements(*operands[0], ElementType::boolean, [&](auto v) {
    const auto x = static_cast<double>(v);
    return std::isinf(x) && (x > 0 ? up : down);
  })};
}
Folded fold_swish(const NodeImport& n, Operands operands) {
  const double a = n.f("alpha", 1);
  return fold_by(operands, [=](double x) { return x * sigmoid_of(a * x); });
}

// ---- bits of whole numbers

template <typename F>
Folded bits(Operands operands, const F& f) {
  const Constant& x = operand(operands, 0);
  if (x.is_real() || operand(operands, 1).is_real()) throw Error("it is of whole numbers");
  return {map_pairs(x, operand(operands, 1), x.type, [&](auto a, auto b) {
    return static_cast<int64_t>(
        f(static_cast<uint64_t>(static_cast<int64_t>(a)), static_cast<uint64_t>(static_cast<int64_t>(b))));
  })};
}
Folded bit_and(const NodeImport&, Operands operands) {
  return bits(operands, [](uint64_t a, uint64_t b) { return a & b; });
}
Folded bit_or(const NodeImport&, Operands operands) {
  return bits(operands, [](uint64_t a, uint64_t b) { return a | b; });
}
Folded bit_xor(const NodeImport&, Operands operands) {
  return bits(operands, [](uint64_t a, uint64_t b) { return a ^ b; });
}
Folded bit_not(const NodeImport&, Operands operands) {
  if (operand(operands, 0).is_real()) throw Error("it is of whole numbers");
  return {map_elements(operand(operands, 0), operand(operands, 0).type,
                       [](auto v) { return ~static_cast<int64_t>(v); })};
}
// To the right a signed number keeps its sign.
Folded shift(const NodeImport& n, Operands operands) {
  const std::string direction = n.s("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") throw Error("its direction is neither LEFT nor RIGHT");
  const bool is_signed = operand(operands, 0).type != ElementType::u64;
  return bits(operands, [&](uint64_t a, uint64_t b) -> uint64_t {
    if (b >= 64) return direction == "RIGHT" && is_signed && static_cast<int64_t>(a) < 0 ? ~uint64_t{0} : 0;
    if (direction == "LEFT") return a << b;
    return is_signed ? static_cast<uint64_t>(static_cast<int64_t>(a) >> b) : a >> b;
  });
}

}  // namespace

extern const OnnxGroup math_onnx;
const OnnxGroup math_onnx{{
    {"Selu", selu},
    {"Celu", celu, fold_celu},
    {"Softsign", softsign, fold_function<softsign_of>},
    {"Swish", swish, fold_swish},
    {"ThresholdedRelu", thresholded_relu},
    {"Shrink", shrink},
    {"PRelu", prelu},
    {"Sign", sign, fold_function<sign_of>},
    {"Sinh", hyperbolic<sub>, fold_function<std::sinh>},
    {"Cosh", hyperbolic<add>, fold_function<std::cosh>},
    {"IsNaN", is_nan, fold_is_nan},
    {"IsInf", is_inf, fold_is_inf},
    {"Sin", nullptr, fold_function<std::sin>},
    {"Cos", nullptr, fold_function<std::cos>},
    {"Tan", nullptr, fold_function<std::tan>},
    {"Asin", nullptr, fold_function<std::asin>},
    {"Acos", nullptr, fold_function<std::acos>},
    {"Atan", nullptr, fold_function<std::atan>},
    {"Asinh", nullptr, fold_function<std::asinh>},
    {"Acosh", nullptr, fold_function<std::acosh>},
    {"Atanh", nullptr, fold_function<std::atanh>},
    {"Erf", nullptr, fold_function<std::erf>},
    {"Floor", nullptr, fold_function<std::floor>},
    {"Ceil", nullptr, fold_function<std::ceil>},
    {"Round", nullptr, fold_function<std::nearbyint>},
    {"BitwiseAnd", nullptr, bit_and},
    {"BitwiseOr", nullptr, bit_or},
    {"BitwiseXor", nullptr, bit_xor},
    {"BitwiseNot", nullptr, bit_not},
    {"BitShift", nullptr, shift},
}};

}  // namespace loupe
