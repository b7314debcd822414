// Reductions over axes: an attribute at first, an operand since opset 13 (sums) or 18.
#include "kernels/reduce/reduce.h"
#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "models/io/onnx/fold.h"
#include "models/io/onnx/import.h"

namespace loupe {
namespace {

using namespace onnx;
using Operands = std::span<const Constant* const>;
using Dims = std::vector<int64_t>;

// The axes, in order; none where nothing is to be reduced.
std::vector<int> axes(const NodeImport& n, const std::optional<Dims>& given, int rank) {
  std::vector<int> all;
  if (!given || given->empty()) {
    if (given && n.i("noop_with_empty_axes", 0)) return {};
    if (!given && n.i("noop_with_empty_axes", 0)) return {};
    for (int i = 0; i < rank; ++i) all.push_back(i);
    return all;
  }
  for (const int64_t a : *given) all.push_back(axis_of(a, rank));
  std::ranges::sort(all);
  return all;
}
std::optional<Dims> given_axes(const NodeImport& n) {
  if (n.has(1)) return n.integers(1);
  if (n.has_attribute("axes")) return n.ints("axes");
  return std::nullopt;
}

Value reduced(NodeImport& n, const std::string& suffix, Reduce::Kind kind, Port x) {
  const Value& of = n.value(0);
  const std::vector<int> over = axes(n, given_axes(n), of.shape.rank());
  const bool keep = n.i("keepdims", 1) != 0;
  if (!keep && std::ssize(over) == of.shape.rank()) n.unsupported("to a single number");
  // The mean of maps is what networks end with: a pool, whose maps stay as they lie.
  if (kind == Reduce::Kind::mean && keep && of.shape.rank() == 4 && over == std::vector<int>{2, 3})
    return n.add(suffix, global_avg_pool2d(), {x});
  return n.add(suffix, reduce({.kind = kind, .axes = over, .keep = keep}), {x});
}
bool nothing_to_do(NodeImport& n) {
  if (!axes(n, given_axes(n), n.shape(0).rank()).empty()) return false;
  n.output(n.value(0));
  return true;
}

template <Reduce::Kind kind>
void plain(NodeImport& n) {
  if (!nothing_to_do(n)) n.output(reduced(n, "", kind, n.port(0)));
}
Port minus_one(NodeImport& n) {
  const float v = -1;
  return n.constant("minus_one", Tensor::from(std::span(&v, 1), {1}));
}
void least(NodeImport& n) {
  if (nothing_to_do(n)) return;
  const Port sign = minus_one(n);
  const Value negative = n.add("negative", mul(), {n.port(0), sign});
  n.output(n.add(mul(), {reduced(n, "greatest", Reduce::Kind::max, negative.port).port, sign}));
}
void l2(NodeImport& n) {
  const Value squares = n.add("squares", mul(), {n.port(0), n.port(0)});
  if (axes(n, given_axes(n), n.shape(0).rank()).empty())
    return n.output(n.add(function_op("abs"), {n.port(0)}));
  n.output(n.add(function_op("sqrt"), {reduced(n, "sum", Reduce::Kind::sum, squares.port).port}));
}
void l1(NodeImport& n) {
  const Value sizes = n.add("sizes", function_op("abs"), {n.port(0)});
  if (axes(n, given_axes(n), n.shape(0).rank()).empty()) return n.output(sizes);
  n.output(reduced(n, "", Reduce::Kind::sum, sizes.port));
}
void sum_square(NodeImport& n) {
  const Value squares = n.add("squares", mul(), {n.port(0), n.port(0)});
  if (axes(n, given_axes(n), n.shape(0).rank()).empty()) return n.output(squares);
  n.output(reduced(n, "", Reduce::Kind::sum, squares.port));
}

// `begin`, then step(so far, element) for those of a group, in order, then end(so far, how many).
template <typename Step, typename End>
Folded fold_groups(const NodeImport& n, Operands operands, const Step& step, const End& end) {
  const Constant& x = *operands[0];
  std::optional<Dims> given;
  if (operands.size() > 1 && operands[1]) {
    given.emplace();
    for (int64_t i = 0; i < operands[1]->numel(); ++i) given->push_back(operands[1]->integer(i));
  } else if (n.has_attribute("axes")) {
    given = n.ints("axes");
  }
  const std::vector<int> over = axes(n, given, x.shape.rank());
  Shape kept = x.shape;
  Dims left;
  for (int i = 0; i < x.shape.rank(); ++i) {
    const bool gone = std::ranges::count(over, i) != 0;
    if (gone) kept = kept.with(i, 1);
    if (!gone || n.i("keepdims", 1)) left.push_back(gone ? 1 : x.shape[i]);
  }
  std::vector<double> totals(static_cast<size_t>(kept.numel())), counts = totals;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto at = static_cast<size_t>(repeated(kept, x.shape, i));
    totals[at] = counts[at] == 0 ? x.real(i) : step(totals[at], x.real(i));
    ++counts[at];
  }
  for (size_t i = 0; i < totals.size(); ++i) totals[i] = end(totals[i], counts[i]);
  return {make_constant(x.type, Shape(std::span<const int64_t>(left)), totals)};
}
double sum(double a, double b) { return a + b; }
double product(double a, double b) { return a * b; }
double larger(double a, double b) { return b > a || b != b ? b : a; }
double smaller(double a, double b) { return b < a || b != b ? b : a; }
double as_is(double total, double) { return total; }
double mean_of(double total, double count) { return total / count; }
template <double (*step)(double, double), double (*end)(double, double) = as_is>
Folded fold(const NodeImport& n, Operands operands) {
  return fold_groups(n, operands, step, end);
}

}  // namespace

extern const OnnxGroup reduce_onnx;
const OnnxGroup reduce_onnx{{
    {"ReduceSum", plain<Reduce::Kind::sum>, fold<sum>},
    {"ReduceMean", plain<Reduce::Kind::mean>, fold<sum, mean_of>},
    {"ReduceMax", plain<Reduce::Kind::max>, fold<larger>},
    {"ReduceMin", least, fold<smaller>},
    {"ReduceProd", nullptr, fold<product>},
    {"ReduceL1", l1},
    {"ReduceL2", l2},
    {"ReduceSumSquare", sum_square},
}};

}  // namespace loupe
