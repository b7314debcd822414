// Arithmetic of two operands, comparisons and choices.
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Operands = std::span<const Constant* const>;
using Role = ParameterSpec::Role;

Port number(NodeImport& n, const char* name, double value) {
  const float v = static_cast<float>(value);
  return n.constant(name, Tensor::from(std::span(&v, 1), {1}));
}

Value typed(Value v, ElementType type) {
  v.type = type;
  return v;
}

// A product with a known matrix and then a known row: one linear layer with a bias, whose node the sum names.
bool is_bias_of_linear(NodeImport& n, size_t product, size_t bias) {
  if (n.known(product) || !n.known(bias)) return false;
  const std::optional<Node> made = n.made_by(n.value(product));
  if (!made || made->op->kind().name != "linear" || made->inputs.size() != 2) return false;
  const int64_t outputs = made->shape().back();
  const Shape& row = n.shape(bias);
  if (row.numel() != outputs || row.back() != outputs || row.rank() > made->shape().rank()) return false;
  const Port c = n.parameter(bias, Role::bias, "row", [&](const Tensor& t) { return t.reshape({outputs}); });
  n.output(n.add(linear({.out_features = outputs}), {made->inputs[0], made->inputs[1], c}));
  return true;
}

// x·sigmoid(x) is one function.
bool is_silu(NodeImport& n, size_t x, size_t factor) {
  if (n.known(x) || n.known(factor)) return false;
  const std::optional<Node> made = n.made_by(n.value(factor));
  if (!made || made->op->kind().name != "sigmoid" || made->inputs[0] != n.value(x).port) return false;
  n.output(n.add(silu(), {n.value(x).port}));
  return true;
}

template <OpPtr (*make)()>
void binary(NodeImport& n) {
  if (n.opset < 7 && n.i("broadcast", 0)) n.unsupported("with the broadcasting of old opsets");
  Value y = n.add(make(), {n.port(0), n.port(1)});
  if (n.shape(0).rank() + n.shape(1).rank() == 0) y.shape = y.shape2 = {};  // computed as a vector of one
  n.output(typed(y, n.value(0).type));
}

void add_node(NodeImport& n) {
  if (is_bias_of_linear(n, 0, 1) || is_bias_of_linear(n, 1, 0)) return;
  binary<add>(n);
}
void mul_node(NodeImport& n) {
  if (is_silu(n, 0, 1) || is_silu(n, 1, 0)) return;
  binary<mul>(n);
}
void div_node(NodeImport& n) {
  if (!is_real(n.value(0).type)) n.unsupported("of whole numbers that are computed in a run");
  binary<loupe::div>(n);
}

// Whole numbers are divided towards zero, as in C.
template <typename F>
Folded fold_binary(Operands operands, const F& f) {
  return {map_pairs(*operands[0], *operands[1], operands[0]->type, f)};
}
int64_t wrapped(uint64_t x) { return static_cast<int64_t>(x); }
struct Sum {
  double operator()(double a, double b) const { return a + b; }
  int64_t operator()(int64_t a, int64_t b) const {
    return wrapped(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct Difference {
  double operator()(double a, double b) const { return a - b; }
  int64_t operator()(int64_t a, int64_t b) const {
    return wrapped(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  }
};
struct Product {
  double operator()(double a, double b) const { return a * b; }
  int64_t operator()(int64_t a, int64_t b) const {
    return wrapped(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
struct Quotient {
  double operator()(double a, double b) const { return a / b; }
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) throw Error("a whole number is divided by 0");
    return b == -1 ? Difference()(int64_t{0}, a) : a / b;
  }
};
// Mod has the divisor's sign, or with fmod the dividend's.
struct Remainder {
  bool c;
  double operator()(double a, double b) const {
    const double r = std::fmod(a, b);
    return c || r == 0 || (r < 0) == (b < 0) ? r : r + b;
  }
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) throw Error("a whole number is divided by 0");
    const int64_t r = b == -1 ? 0 : a % b;
    return c || r == 0 || (r < 0) == (b < 0) ? r : r + b;
  }
};
struct Power {
  double operator()(double a, double b) const { return std::pow(a, b); }
  int64_t operator()(int64_t a, int64_t b) const {
    const double r = std::pow(static_cast<double>(a), static_cast<double>(b));
    return static_cast<int64_t>(std::clamp(r, -9.2e18, 9.2e18));
  }
};
template <typename F>
Folded fold_by(const NodeImport&, Operands operands) {
  return fold_binary(operands, F{});
}
Folded fold_mod(const NodeImport& n, Operands operands) {
  return fold_binary(operands, Remainder{n.i("fmod", 0) != 0});
}

// ---- any number of operands

template <OpPtr (*make)()>
void variadic(NodeImport& n) {
  const ElementType type = n.value(0).type;
  Value y = n.value(0);
  if (n.inputs() == 1) return n.output(y);
  y.port = n.port(0);
  for (size_t k = 1; k < n.inputs(); ++k)
    y = n.add(k + 1 == n.inputs() ? "" : std::to_string(k), make(), {y.port, n.port(k)});
  n.output(typed(y, type));
}
template <typename F>
Folded fold_variadic(const NodeImport&, Operands operands) {
  Constant y = *operands[0];
  for (size_t k = 1; k < operands.size(); ++k) y = map_pairs(y, *operands[k], y.type, F{});
  return {y};
}
struct Larger {
  template <typename T>
  T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};
struct Smaller {
  template <typename T>
  T operator()(T a, T b) const {
    return b < a || b != b ? b : a;
  }
};

// ---- one operand

void negate(NodeImport& n) {
  const ElementType type = n.value(0).type;
  n.output(typed(n.add(mul(), {n.port(0), number(n, "minus_one", -1)}), type));
}
Folded fold_negate(const NodeImport&, Operands operands) {
  return {map_elements(*operands[0], operands[0]->type, [](auto v) { return -v; })};
}
void reciprocal(NodeImport& n) { n.output(n.add(loupe::div(), {number(n, "one", 1), n.port(0)})); }
Folded fold_reciprocal(const NodeImport&, Operands operands) {
  return {map_elements(*operands[0], operands[0]->type, [](auto v) { return 1 / static_cast<double>(v); })};
}

// Powers that are products, quotients and roots.
void power(NodeImport& n) {
  if (!n.known(1) || n.shape(1).numel() != 1) n.unsupported("with an exponent that is not one known number");
  const double exponent = n.scalar(1, 1);
  const Port x = n.port(0);
  if (exponent == 1) return n.output(n.value(0));
  if (exponent == 2) return n.output(n.add(mul(), {x, x}));
  if (exponent == 3) return n.output(n.add(mul(), {n.add("square", mul(), {x, x}).port, x}));
  if (exponent == 0.5) return n.output(n.add(function_op("sqrt"), {x}));
  if (exponent == -1) return n.output(n.add(loupe::div(), {number(n, "one", 1), x}));
  if (exponent == -0.5)
    return n.output(n.add(loupe::div(), {number(n, "one", 1), n.add("root", function_op("sqrt"), {x}).port}));
  n.unsupported("with exponent " + std::to_string(exponent));
}

// ---- comparisons and choices

template <typename F>
Folded fold_compare(const NodeImport&, Operands operands) {
  return {map_pairs(*operands[0], *operands[1], ElementType::boolean, F{})};
}
struct Equal {
  bool operator()(auto a, auto b) const { return a == b; }
};
struct Less {
  bool operator()(auto a, auto b) const { return a < b; }
};
struct LessOrEqual {
  bool operator()(auto a, auto b) const { return a <= b; }
};
struct Greater {
  bool operator()(auto a, auto b) const { return a > b; }
};
struct GreaterOrEqual {
  bool operator()(auto a, auto b) const { return a >= b; }
};
struct And {
  bool operator()(auto a, auto b) const { return a != 0 && b != 0; }
};
struct Or {
  bool operator()(auto a, auto b) const { return a != 0 || b != 0; }
};
struct Xor {
  bool operator()(auto a, auto b) const { return (a != 0) != (b != 0); }
};
Folded fold_not(const NodeImport&, Operands operands) {
  return {map_elements(*operands[0], ElementType::boolean, [](auto v) { return v == 0; })};
}

// In a run booleans are 0 and 1.
template <OpPtr (*make)(), bool swapped>
void compare(NodeImport& n) {
  n.output(typed(n.add(make(), {n.port(swapped ? 1 : 0), n.port(swapped ? 0 : 1)}), ElementType::boolean));
}
template <OpPtr (*make)()>
void logical(NodeImport& n) {
  n.output(typed(n.add(make(), {n.port(0), n.port(1)}), ElementType::boolean));
}
void not_node(NodeImport& n) {
  n.output(typed(n.add(sub(), {number(n, "one", 1), n.port(0)}), ElementType::boolean));
}
void xor_node(NodeImport& n) {
  const Value difference = n.add("difference", sub(), {n.port(0), n.port(1)});
  n.output(typed(n.add(function_op("abs"), {difference.port}), ElementType::boolean));
}

Folded fold_where(const NodeImport&, Operands operands) {
  const Constant &condition = *operands[0], &yes = *operands[1], &no = *operands[2];
  const Shape shape = broadcast(broadcast(condition.shape, yes.shape), no.shape);
  std::vector<double> reals;
  Constant y{.type = yes.type, .shape = shape};
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const Constant& from = condition.integer(repeated(condition.shape, shape, i)) ? yes : no;
    const int64_t at = repeated(from.shape, shape, i);
    if (is_real(yes.type))
      reals.push_back(from.real(at));
    else
      y.integers.push_back(from.integer(at));
  }
  if (is_real(yes.type)) return {make_constant(yes.type, shape, reals)};
  return {y};
}

// What is chosen of each, added: the other is 0, whatever it was.
void where(NodeImport& n) {
  const ElementType type = n.value(1).type;
  const auto chosen = [&](size_t k, const char* name, bool wanted) {
    if (n.known(0) && n.known(k)) {
      const Constant kept =
          map_pairs(*n.value(0).constant, *n.value(k).constant, ElementType::f32,
                    [&](auto on, auto v) { return (on != 0) == wanted ? static_cast<double>(v) : 0.0; });
      return n.constant(name, kept.reals);
    }
    const Port c = n.port(0);
    const Port on = wanted ? c : n.add("not", sub(), {number(n, "one", 1), c}).port;
    return n.add(name, keep(), {n.port(k), on}).port;
  };
  const Port yes = chosen(1, "yes", true), no = chosen(2, "no", false);
  n.output(typed(n.add(add(), {yes, no}), type));
}

}  // namespace

extern const OnnxGroup arithmetic_onnx;
const OnnxGroup arithmetic_onnx{{
    {"Add", add_node, fold_by<Sum>},
    {"Sub", binary<sub>, fold_by<Difference>},
    {"Mul", mul_node, fold_by<Product>},
    {"Div", div_node, fold_by<Quotient>},
    {"Mod", nullptr, fold_mod},
    {"Pow", power, fold_by<Power>},
    {"Sum", variadic<add>, fold_variadic<Sum>},
    {"Max", variadic<maximum>, fold_variadic<Larger>},
    {"Min", variadic<minimum>, fold_variadic<Smaller>},
    {"Neg", negate, fold_negate},
    {"Reciprocal", reciprocal, fold_reciprocal},
    {"Equal", compare<loupe::equal, false>, fold_compare<Equal>},
    {"Less", compare<less, false>, fold_compare<Less>},
    {"LessOrEqual", compare<less_or_equal, false>, fold_compare<LessOrEqual>},
    {"Greater", compare<less, true>, fold_compare<Greater>},
    {"GreaterOrEqual", compare<less_or_equal, true>, fold_compare<GreaterOrEqual>},
    {"And", logical<mul>, fold_compare<And>},
    {"Or", logical<maximum>, fold_compare<Or>},
    {"Xor", xor_node, fold_compare<Xor>},
    {"Not", not_node, fold_not},
    {"Where", where, fold_where},
}};

}  // namespace loupe
