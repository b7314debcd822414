// Shapes: what asks for them, what makes constants of them, and what changes them without moving a number.
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/transpose/transpose.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Operands = std::span<const Constant* const>;
using Dims = std::vector<int64_t>;

const Constant& operand(Operands operands, size_t k) {
  if (k >= operands.size() || !operands[k]) throw Error("operand " + std::to_string(k) + " is missing");
  return *operands[k];
}

Dims numbers(const Constant& c) {
  Dims all;
  for (int64_t i = 0; i < c.numel(); ++i) all.push_back(c.integer(i));
  return all;
}

// ---- Identity, Constant

void identity(NodeImport& n) { n.output(n.value(0)); }
Folded same(const NodeImport&, Operands operands) { return {operand(operands, 0)}; }

Folded constant(const NodeImport& n, Operands) {
  if (const AttributeProto* a = n.attribute("value"); a && a->t) return {decode(*a->t, "a Constant")};
  if (const AttributeProto* a = n.attribute("value_int")) return {make_integers({}, {a->i})};
  if (const AttributeProto* a = n.attribute("value_ints")) return {make_vector(a->ints)};
  if (const AttributeProto* a = n.attribute("value_float"))
    return {make_constant(ElementType::f32, {}, {a->f})};
  if (n.has_attribute("value_floats")) {
    const std::vector<double> values = n.floats("value_floats");
    return {make_constant(ElementType::f32, {std::ssize(values)}, values)};
  }
  n.unsupported("of text or sparse values");
}

// Dropout of inference: all passes.
void dropout(NodeImport& n) {
  const bool training = n.has(2) && n.scalar(2, 0) != 0 && n.scalar(1, 0.5) != 0;
  if (training) n.unsupported("of training");
  n.output(n.value(0));
  if (!n.wants_output(1)) return;
  const auto ones = [](const Shape& s) {
    return make_integers(s, std::vector<int64_t>(static_cast<size_t>(s.numel()), 1), ElementType::boolean);
  };
  n.output(1, ones(n.shape(0)), ones(n.value(0).shape2));
}

// ---- Shape, Size, ConstantOfShape, Range

Dims sizes(const NodeImport& n, const Shape& x) {
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + x.rank() : at, 0, x.rank());
  };
  const int64_t begin = clamp(n.i("start", 0)), end = clamp(n.i("end", x.rank()));
  Dims all;
  for (int64_t i = begin; i < end; ++i) all.push_back(x[static_cast<int>(i)]);
  return all;
}
void shape(NodeImport& n) {
  n.output(0, make_vector(sizes(n, n.shape(0))), make_vector(sizes(n, n.value(0).shape2)));
}
Folded fold_shape(const NodeImport& n, Operands operands) {
  return {make_vector(sizes(n, operand(operands, 0).shape))};
}

void size(NodeImport& n) {
  n.output(0, make_integers({}, {n.shape(0).numel()}), make_integers({}, {n.value(0).shape2.numel()}));
}
Folded fold_size(const NodeImport&, Operands operands) {
  return {make_integers({}, {operand(operands, 0).numel()})};
}

Folded constant_of_shape(const NodeImport& n, Operands operands) {
  const Dims dims = numbers(operand(operands, 0));
  const Shape shape{std::span<const int64_t>(dims)};
  if (shape.numel() > n.element_limit())
    throw Error("it would have " + std::to_string(shape.numel()) + " elements");
  const AttributeProto* a = n.attribute("value");
  Constant one = a && a->t ? decode(*a->t, "ConstantOfShape") : make_constant(ElementType::f32, {1}, {0});
  if (one.numel() != 1) throw Error("its value is not one number");
  return {pick(one, shape, [](int64_t) { return 0; })};
}

Folded range(const NodeImport& n, Operands operands) {
  const Constant &start = operand(operands, 0), &limit = operand(operands, 1), &delta = operand(operands, 2);
  if (start.numel() != 1 || limit.numel() != 1 || delta.numel() != 1)
    throw Error("its operands are not single numbers");
  const double from = start.real(0), step = delta.real(0);
  if (step == 0) throw Error("its step is 0");
  const double count = std::max(0.0, std::ceil((limit.real(0) - from) / step));
  if (!(count <= static_cast<double>(n.element_limit()))) throw Error("it is too long");
  std::vector<double> values;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i)
    values.push_back(from + static_cast<double>(i) * step);
  return {make_constant(start.type, {std::ssize(values)}, values)};
}

// ---- Reshape and its relatives: each says the new dims of a shape

Dims reshape_dims(const NodeImport& n, const Shape& x, Dims dims) {
  const bool zeros = n.i("allowzero", 0) != 0;
  int64_t known = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !zeros) {
      if (static_cast<int>(i) >= x.rank())
        throw Error("a size is to be copied that " + x.str() + " does not have");
      dims[i] = x[static_cast<int>(i)];
    }
    if (dims[i] < -1) throw Error("a size is negative");
    if (dims[i] >= 0 && __builtin_mul_overflow(known, dims[i], &known)) throw Error("a size is too large");
  }
  for (int64_t& d : dims)
    if (d == -1) {
      if (known == 0 || x.numel() % known) throw Error("the sizes do not fit " + x.str());
      d = x.numel() / known;
      break;
    }
  return dims;
}

Dims flatten_dims(const NodeImport& n, const Shape& x) {
  const int64_t axis = n.i("axis", 1);
  const int at = axis == x.rank() ? x.rank() : axis_of(axis, x.rank());
  int64_t outer = 1;
  for (int i = 0; i < at; ++i) outer *= x[i];
  return {outer, outer ? x.numel() / outer : 0};
}

Dims squeeze_dims(const Shape& x, const std::optional<Dims>& axes) {
  std::vector<bool> gone(static_cast<size_t>(x.rank()));
  if (axes)
    for (const int64_t a : *axes) {
      const int at = axis_of(a, x.rank());
      if (x[at] != 1) throw Error("axis " + std::to_string(a) + " of " + x.str() + " is not of size 1");
      gone[static_cast<size_t>(at)] = true;
    }
  Dims dims;
  for (int i = 0; i < x.rank(); ++i)
    if (axes ? !gone[static_cast<size_t>(i)] : x[i] != 1) dims.push_back(x[i]);
  return dims;
}

Dims unsqueeze_dims(const Shape& x, const Dims& axes) {
  const int rank = x.rank() + static_cast<int>(axes.size());
  std::vector<bool> fresh(static_cast<size_t>(rank));
  for (const int64_t a : axes) fresh[static_cast<size_t>(axis_of(a, rank))] = true;
  if (std::ranges::count(fresh, true) != std::ssize(axes)) throw Error("an axis is named twice");
  Dims dims;
  for (int i = 0, from = 0; i < rank; ++i) dims.push_back(fresh[static_cast<size_t>(i)] ? 1 : x[from++]);
  return dims;
}

void reshape_node(NodeImport& n) {
  const Value &x = n.value(0), &to = n.value(1);
  const Dims wanted = n.integers(1);
  const Dims dims = reshape_dims(n, x.shape, wanted);
  std::optional<Dims> dims2;
  const bool says = to.constant2 || std::ranges::count(wanted, -1) || std::ranges::count(wanted, 0);
  if (says && x.shape2.numel() != x.shape.numel()) try {
      dims2 = reshape_dims(n, x.shape2, to.constant2 ? numbers(*to.constant2) : wanted);
    } catch (const Error&) {  // the batch is written down somewhere: it is looked for
    }
  if (dims2 && *dims2 == dims) dims2.reset();
  n.output(n.reshape("", x, dims, dims2));
}
Folded fold_reshape(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const Dims dims = reshape_dims(n, x.shape, numbers(operand(operands, 1)));
  return {reshaped(x, Shape(std::span<const int64_t>(dims)))};
}

// `dims_of` at a batch of one, and at two.
template <typename DimsOf>
void reshape_as(NodeImport& n, const DimsOf& dims_of) {
  const Value& x = n.value(0);
  const Dims dims = dims_of(x.shape);
  std::optional<Dims> dims2;
  try {
    dims2 = dims_of(x.shape2);
  } catch (const Error&) {
  }
  n.output(n.reshape("", x, dims, dims2));
}
template <typename DimsOf>
Folded fold_as(Operands operands, const DimsOf& dims_of) {
  const Dims dims = dims_of(operand(operands, 0).shape);
  return {reshaped(operand(operands, 0), Shape(std::span<const int64_t>(dims)))};
}

void flatten_node(NodeImport& n) {
  reshape_as(n, [&](const Shape& x) { return flatten_dims(n, x); });
}
Folded fold_flatten(const NodeImport& n, Operands operands) {
  return fold_as(operands, [&](const Shape& x) { return flatten_dims(n, x); });
}

// Axes are an attribute before opset 13.
std::optional<Dims> axes(const NodeImport& n, const Constant* from_operand) {
  if (from_operand) return numbers(*from_operand);
  if (n.has_attribute("axes")) return n.ints("axes");
  return std::nullopt;
}
const Constant* axes_operand(Operands operands) { return operands.size() > 1 ? operands[1] : nullptr; }
const Constant* axes_operand(const NodeImport& n) {
  if (!n.has(1)) return nullptr;
  n.integers(1);  // known, or not supported
  return n.value(1).constant.get();
}

void squeeze(NodeImport& n) {
  const std::optional<Dims> of = axes(n, axes_operand(n));
  // Without axes the batch of one goes too, if there is no more to it.
  reshape_as(n, [&](const Shape& x) { return squeeze_dims(x, of); });
}
Folded fold_squeeze(const NodeImport& n, Operands operands) {
  return fold_as(operands, [&](const Shape& x) { return squeeze_dims(x, axes(n, axes_operand(operands))); });
}
void unsqueeze(NodeImport& n) {
  const Dims of = axes(n, axes_operand(n)).value_or(Dims{});
  reshape_as(n, [&](const Shape& x) { return unsqueeze_dims(x, of); });
}
Folded fold_unsqueeze(const NodeImport& n, Operands operands) {
  return fold_as(operands, [&](const Shape& x) {
    return unsqueeze_dims(x, axes(n, axes_operand(operands)).value_or(Dims{}));
  });
}

// ---- Transpose, Expand, Cast

std::vector<int> permutation(const NodeImport& n, int rank) {
  std::vector<int> order;
  for (const int64_t a : n.ints("perm")) order.push_back(axis_of(a, rank));
  if (order.empty())
    for (int i = rank - 1; i >= 0; --i) order.push_back(i);
  if (std::ssize(order) != rank)
    throw Error("perm has " + std::to_string(order.size()) + " axes, the operand " + std::to_string(rank));
  return order;
}
void transpose_node(NodeImport& n) {
  n.output(n.transpose("", n.value(0), permutation(n, n.shape(0).rank())));
}
Folded fold_transpose(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const std::vector<int> order = permutation(n, x.shape.rank());
  Dims dims;
  for (const int axis : order) dims.push_back(x.shape[axis]);
  const std::vector<int64_t> steps = strides(x.shape);
  return {pick(x, Shape(std::span<const int64_t>(dims)), [&](int64_t i) {
    int64_t at = 0;
    for (size_t d = dims.size(); d-- > 0; i /= dims[d])
      at += i % dims[d] * steps[static_cast<size_t>(order[d])];
    return at;
  })};
}

Constant expanded(const NodeImport& n, const Constant& x, const Dims& dims) {
  const Shape shape = broadcast(x.shape, Shape(std::span<const int64_t>(dims)));
  if (shape.numel() > n.element_limit())
    throw Error("it would have " + std::to_string(shape.numel()) + " elements");
  return pick(x, shape, [&](int64_t i) { return repeated(x.shape, shape, i); });
}
void expand_node(NodeImport& n) {
  const Value &x = n.value(0), &to = n.value(1);
  const Dims dims = n.integers(1);
  const Shape want = broadcast(x.shape, Shape(std::span<const int64_t>(dims)));
  const Dims dims2 = to.constant2 ? numbers(*to.constant2) : dims;
  if (want == x.shape) {
    // (N, …) to the shape that it has, or to one written down for a batch of one.
    n.output(x);
    return;
  }
  // Repeated along axes of size 1: a sum with zeros that are long where x is not.
  Dims zeros = dims;
  const auto ahead = std::ssize(dims) - x.shape.rank();
  for (size_t i = 0; i < zeros.size(); ++i) {
    const auto axis = static_cast<int>(static_cast<int64_t>(i) - ahead);
    if (axis >= 0 && x.shape[axis] == dims[i]) zeros[i] = 1;
    if (dims2.size() == dims.size() && dims2[i] != dims[i]) zeros[i] = 1;
  }
  if (Shape(std::span<const int64_t>(zeros)).numel() > n.element_limit()) throw Error("it is too large");
  const Port zero = n.constant("zeros", Tensor::zeros(Dtype::f32, Shape(std::span<const int64_t>(zeros))));
  Value y = n.add(add(), {x.port, zero});
  y.type = x.type;
  n.output(y);
}
Folded fold_expand(const NodeImport& n, Operands operands) {
  return {expanded(n, operand(operands, 0), numbers(operand(operands, 1)))};
}

// CastLike has the type of its second operand.
ElementType cast_target(const NodeImport& n) {
  if (n.proto().op_type == "CastLike") return n.value(1).type;
  return static_cast<ElementType>(n.i("to", 1));
}
Folded fold_cast(const NodeImport& n, Operands operands);
void cast(NodeImport& n) {
  Value x = n.value(0);
  if (x.known()) {  // as the type of what is computed
    const Constant* const one[] = {x.constant.get()};
    return n.output(0, fold_cast(n, one)[0]);
  }
  const ElementType to = cast_target(n);
  if (to == ElementType::string) n.unsupported("to text");
  if (is_real(x.type) && !is_real(to))
    n.unsupported("of floats that are computed in a run to " + type_name(to));
  if (to == ElementType::boolean && x.type != ElementType::boolean) n.unsupported("of numbers to bool");
  x.type = to;
  n.output(std::move(x));
}
Folded fold_cast(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const ElementType to = cast_target(n);
  if (to == x.type) return {x};
  if (to == ElementType::boolean) return {map_elements(x, to, [](auto v) { return v != 0; })};
  if (!is_real(to)) {
    Dims values;
    for (int64_t i = 0; i < x.numel(); ++i) values.push_back(x.integer(i));
    return {make_integers(x.shape, std::move(values), to)};
  }
  return {map_elements(x, to, [](auto v) { return v; })};
}

}  // namespace

extern const OnnxGroup shape_onnx;
const OnnxGroup shape_onnx{{
    {"Identity", identity, same},
    {"Constant", nullptr, constant},
    {"Shape", shape, fold_shape},
    {"Size", size, fold_size},
    {"ConstantOfShape", nullptr, constant_of_shape},
    {"Range", nullptr, range},
    {"Reshape", reshape_node, fold_reshape},
    {"Flatten", flatten_node, fold_flatten},
    {"Squeeze", squeeze, fold_squeeze},
    {"Unsqueeze", unsqueeze, fold_unsqueeze},
    {"Transpose", transpose_node, fold_transpose},
    {"Expand", expand_node, fold_expand},
    {"Cast", cast, fold_cast},
    {"CastLike", cast, fold_cast},
    {"Dropout", dropout, nullptr},
}};

}  // namespace loupe
