// What chooses, counts and rearranges along an axis. Chosen places and sorted orders are of constants alone; the rest
// runs as gathers, products with constants and transposes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/elementwise/binary.h"
#include "kernels/gather/gather.h"
#include "kernels/linear/linear.h"
#include "models/io/onnx/steps.h"

namespace loupe {
namespace {

using namespace onnx;

// ---- ArgMax, ArgMin, TopK, Hardmax

// Whether a comes before b: greater first, or smaller; of equal ones the first place.
struct Order {
  const Constant& x;
  bool greatest, last = false;
  bool operator()(int64_t a, int64_t b) const {
    const double p = x.real(a), q = x.real(b);
    if (p != q) return greatest ? p > q : p < q;
    return last ? a > b : a < b;
  }
};
// Places along an axis of one row, the first first.
Dims ranked(const Split& at, int64_t outer, int64_t inner, const Order& order) {
  if (at.size == 0) throw Error("there is nothing to choose from");
  Dims places(static_cast<size_t>(at.size));
  for (int64_t i = 0; i < at.size; ++i)
    places[static_cast<size_t>(i)] = (outer * at.size + i) * at.inner + inner;
  std::ranges::sort(places, order);
  for (int64_t& p : places) p = p / at.inner % at.size;
  return places;
}

Folded arg(const NodeImport& n, Operands operands, bool greatest) {
  const Constant& x = operand(operands, 0);
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  const Split at(x.shape, axis);
  const Order order{x, greatest, n.i("select_last_index", 0) != 0};
  Dims best;
  for (int64_t o = 0; o < at.outer; ++o)
    for (int64_t i = 0; i < at.inner; ++i) best.push_back(ranked(at, o, i, order).at(0));
  Dims dims = dims_of(x.shape.with(axis, 1));
  if (!n.i("keepdims", 1)) dims.erase(dims.begin() + axis);
  return {make_integers(shape_of(dims), best)};
}
Folded arg_max(const NodeImport& n, Operands operands) { return arg(n, operands, true); }
Folded arg_min(const NodeImport& n, Operands operands) { return arg(n, operands, false); }

Folded top_k(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const int axis = axis_of(n.i("axis", -1), x.shape.rank());
  const Split at(x.shape, axis);
  const int64_t k = n.opset < 10 ? n.i("k", 1) : one_number(operand(operands, 1));
  if (k < 0 || k > at.size) throw Error("there are no " + std::to_string(k) + " in " + x.shape.str());
  const Order order{x, n.i("largest", 1) != 0};
  const Shape shape = x.shape.with(axis, k);
  Dims places(static_cast<size_t>(shape.numel()));
  for (int64_t o = 0; o < at.outer; ++o)
    for (int64_t i = 0; i < at.inner; ++i) {
      const Dims row = ranked(at, o, i, order);
      for (int64_t j = 0; j < k; ++j)
        places[static_cast<size_t>((o * k + j) * at.inner + i)] = row[static_cast<size_t>(j)];
    }
  const Constant values = pick(x, shape, [&](int64_t i) {
    const int64_t o = i / (k * at.inner);
    return (o * at.size + places[static_cast<size_t>(i)]) * at.inner + i % at.inner;
  });
  return {values, make_integers(shape, places)};
}

// 1 at the first greatest, else 0. Before opset 13 all from `axis` on is one row.
Folded hardmax(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const int axis = axis_of(n.i("axis", n.opset < 13 ? 1 : -1), x.shape.rank());
  Split at(x.shape, axis);
  if (n.opset < 13) {
    at.size *= at.inner;
    at.inner = 1;
  }
  std::vector<double> y(static_cast<size_t>(x.numel()));
  for (int64_t o = 0; o < at.outer; ++o)
    for (int64_t i = 0; i < at.inner; ++i) {
      const int64_t best = ranked(at, o, i, {x, true}).at(0);
      y[static_cast<size_t>((o * at.size + best) * at.inner + i)] = 1;
    }
  return {make_constant(x.type, x.shape, y)};
}

// ---- CumSum, CumProd

struct Cumulation {
  bool exclusive, reverse;
  explicit Cumulation(const NodeImport& n) : exclusive(n.i("exclusive", 0)), reverse(n.i("reverse", 0)) {}
  // Element j counts for result i.
  bool takes(int64_t i, int64_t j) const {
    if (i == j) return !exclusive;
    return reverse ? j > i : j < i;
  }
};
Folded cumulate(const NodeImport& n, Operands operands, bool product) {
  const Constant& x = operand(operands, 0);
  const Split at(x.shape, axis_of(one_number(operand(operands, 1)), x.shape.rank()));
  const Cumulation c(n);
  std::vector<double> y(static_cast<size_t>(x.numel()));
  for (int64_t o = 0; o < at.outer; ++o)
    for (int64_t i = 0; i < at.inner; ++i) {
      double total = product ? 1 : 0;
      for (int64_t t = 0; t < at.size; ++t) {
        const int64_t place = (o * at.size + (c.reverse ? at.size - 1 - t : t)) * at.inner + i;
        const double before = total;
        total = product ? total * x.real(place) : total + x.real(place);
        y[static_cast<size_t>(place)] = c.exclusive ? before : total;
      }
    }
  return {make_constant(x.type, x.shape, y)};
}
Folded fold_cumsum(const NodeImport& n, Operands operands) { return cumulate(n, operands, false); }
Folded fold_cumprod(const NodeImport& n, Operands operands) { return cumulate(n, operands, true); }
// A product with a triangle of ones.
void cumsum(NodeImport& n) {
  const Value x = computed(n, 0);
  const int rank = x.shape.rank(), axis = axis_of(static_cast<int64_t>(n.scalar(1, 0)), rank);
  const int64_t size = x.shape[axis];
  if (size > 4096) n.unsupported("of " + std::to_string(size) + " elements");
  Tensor triangle(Dtype::f32, {size, size});
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j)
      triangle.values<float>()[static_cast<size_t>(i * size + j)] = Cumulation(n).takes(i, j) ? 1 : 0;
  const OpPtr product = linear({.out_features = size, .bias = false});
  const Port ones = n.constant("triangle", triangle);
  if (rank < 2) n.unsupported("of a vector that is computed in a run");
  if (axis == rank - 1) return n.output(n.add(product, {x.port, ones}));
  std::vector<int> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(axis)], order.back());
  const Value sums = n.add("sums", product, {n.transpose("last", x, order).port, ones});
  n.output(n.transpose("", sums, order));
}

// ---- Trilu, EyeLike, OneHot, NonZero, Compress

// 1 where a cell of the last two dimensions lies in the upper (lower) triangle, k diagonals up.
bool in_triangle(const Shape& s, int64_t i, int64_t k, bool upper) {
  const int64_t row = i / s.back() % s[s.rank() - 2], column = i % s.back();
  return upper ? column - row >= k : column - row <= k;
}
Folded fold_trilu(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  if (x.shape.rank() < 2) throw Error("it takes matrices");
  const int64_t k = operands.size() > 1 && operands[1] ? one_number(*operands[1]) : 0;
  const bool upper = n.i("upper", 1) != 0;
  Constant on{.type = ElementType::i64, .shape = x.shape};
  for (int64_t i = 0; i < x.numel(); ++i) on.integers.push_back(in_triangle(x.shape, i, k, upper));
  if (x.is_real())
    return {map_pairs(x, on, x.type, [](auto v, auto o) { return o != 0 ? static_cast<double>(v) : 0; })};
  Constant y = x;
  for (size_t i = 0; i < y.integers.size(); ++i) y.integers[i] *= on.integers[i];
  return {y};
}
void trilu(NodeImport& n) {
  const Shape& x = n.shape(0);
  if (x.rank() < 2) throw Error("it takes matrices");
  const Shape last{x[x.rank() - 2], x.back()};
  const auto k = static_cast<int64_t>(n.scalar(1, 0));
  expect_room(n, last);
  Tensor on(Dtype::f32, last);
  for (int64_t i = 0; i < last.numel(); ++i)
    on.values<float>()[static_cast<size_t>(i)] = in_triangle(last, i, k, n.i("upper", 1) != 0) ? 1 : 0;
  n.output(n.add(keep(), {n.port(0), n.constant("triangle", on)}));
}

Constant eye(const NodeImport& n, const Shape& s, ElementType type) {
  if (s.rank() != 2) throw Error("it takes a matrix");
  expect_room(n, s);
  type = n.has_attribute("dtype") ? static_cast<ElementType>(n.i("dtype", 1)) : type;
  std::vector<double> y;
  for (int64_t i = 0; i < s.numel(); ++i) y.push_back(i % s[1] - i / s[1] == n.i("k", 0));
  return make_constant(type, s, y);
}
void eye_like(NodeImport& n) { n.output(0, eye(n, n.shape(0), n.value(0).type)); }
Folded fold_eye_like(const NodeImport& n, Operands operands) {
  return {eye(n, operand(operands, 0).shape, operand(operands, 0).type)};
}

Folded one_hot(const NodeImport& n, Operands operands) {
  const Constant &at = operand(operands, 0), &values = operand(operands, 2);
  const int64_t depth = one_number(operand(operands, 1));
  if (depth < 1 || values.numel() != 2) throw Error("its depth or values are wrong");
  const int axis = axis_of(n.i("axis", -1), at.shape.rank() + 1);
  Dims dims = dims_of(at.shape);
  dims.insert(dims.begin() + axis, depth);
  const Shape shape = shape_of(dims);
  expect_room(n, shape);
  const Split split(shape, axis);
  return {pick(values, shape, [&](int64_t i) {
    const int64_t o = i / (depth * split.inner), c = i / split.inner % depth;
    int64_t row = at.integer(o * split.inner + i % split.inner);
    if (row < 0) row += depth;
    return row == c ? 1 : 0;
  })};
}

Folded non_zero(const NodeImport&, Operands operands) {
  const Constant& x = operand(operands, 0);
  Dims found;
  for (int64_t i = 0; i < x.numel(); ++i)
    if (x.real(i) != 0) found.push_back(i);
  Dims places;
  const std::vector<int64_t> steps = strides(x.shape);
  for (int d = 0; d < x.shape.rank(); ++d)
    for (const int64_t i : found) places.push_back(i / steps[static_cast<size_t>(d)] % x.shape[d]);
  return {make_integers({x.shape.rank(), std::ssize(found)}, places)};
}

Folded compress(const NodeImport& n, Operands operands) {
  Constant x = operand(operands, 0);
  if (!n.has_attribute("axis")) x = reshaped(x, Shape{x.numel()});
  const int axis = axis_of(n.i("axis", 0), x.shape.rank());
  const Split at(x.shape, axis);
  Dims kept;
  for (int64_t i = 0; i < std::min(operand(operands, 1).numel(), at.size); ++i)
    if (operand(operands, 1).integer(i)) kept.push_back(i);
  const int64_t count = std::ssize(kept);
  return {pick(x, x.shape.with(axis, count), [&](int64_t i) {
    return (i / (count * at.inner) * at.size + kept[static_cast<size_t>(i / at.inner % count)]) * at.inner +
           i % at.inner;
  })};
}

// ---- Tile, ReverseSequence

Folded fold_tile(const NodeImport& n, Operands operands) {
  const Constant& x = operand(operands, 0);
  const Dims times = numbers(operand(operands, 1));
  if (std::ssize(times) != x.shape.rank()) throw Error("its repeats are not one an axis");
  Dims dims = dims_of(x.shape);
  for (size_t d = 0; d < dims.size(); ++d) {
    if (times[d] < 0 || __builtin_mul_overflow(dims[d], times[d], &dims[d]))
      throw Error("a repeat is out of range");
  }
  const Shape shape = shape_of(dims);
  expect_room(n, shape);
  const std::vector<int64_t> steps = strides(x.shape);
  return {pick(x, shape, [&](int64_t i) {
    int64_t at = 0;
    for (size_t d = dims.size(); d-- > 0; i /= dims[d])
      at += i % dims[d] % x.shape[static_cast<int>(d)] * steps[d];
    return at;
  })};
}
void tile(NodeImport& n) {
  Value y = computed(n, 0);
  const Dims times = n.integers(1);
  if (std::ssize(times) != y.shape.rank()) throw Error("its repeats are not one an axis");
  for (int axis = 0; axis < y.shape.rank(); ++axis) {
    const int64_t size = y.shape[axis], count = times[static_cast<size_t>(axis)];
    if (count == 1) continue;
    if (count < 1 || count > (1 << 20) || size > n.element_limit() / count)
      n.unsupported("of " + std::to_string(count) + " times");
    Dims rows;
    for (int64_t i = 0; i < size * count; ++i) rows.push_back(i % size);
    const std::string name = "axis" + std::to_string(axis);
    y = n.add(name, gather(axis), {y.port, n.constant_rows(name + ".rows", rows, {std::ssize(rows)})});
  }
  n.output(typed(y, n.value(0).type));
}

Folded reverse_sequence(const NodeImport& n, Operands operands) {
  const Constant &x = operand(operands, 0), &lengths = operand(operands, 1);
  const int time = axis_of(n.i("time_axis", 0), x.shape.rank()),
            batch = axis_of(n.i("batch_axis", 1), x.shape.rank());
  const std::vector<int64_t> steps = strides(x.shape);
  if (lengths.numel() != x.shape[batch]) throw Error("its lengths are not one an image");
  for (const int64_t length : numbers(lengths))
    if (length < 0 || length > x.shape[time]) throw Error("a length is out of range");
  return {pick(x, x.shape, [&](int64_t i) {
    const int64_t step = steps[static_cast<size_t>(time)], t = i / step % x.shape[time];
    const int64_t length = lengths.integer(i / steps[static_cast<size_t>(batch)] % x.shape[batch]);
    return t < length ? i + (length - 1 - 2 * t) * step : i;
  })};
}

}  // namespace

extern const OnnxGroup select_onnx;
const OnnxGroup select_onnx{{
    {"ArgMax", nullptr, arg_max},
    {"ArgMin", nullptr, arg_min},
    {"TopK", nullptr, top_k},
    {"Hardmax", nullptr, hardmax},
    {"CumSum", cumsum, fold_cumsum},
    {"CumProd", nullptr, fold_cumprod},
    {"Trilu", trilu, fold_trilu},
    {"EyeLike", eye_like, fold_eye_like},
    {"OneHot", nullptr, one_hot},
    {"NonZero", nullptr, non_zero},
    {"Compress", nullptr, compress},
    {"Tile", tile, fold_tile},
    {"ReverseSequence", nullptr, reverse_sequence},
}};

}  // namespace loupe
