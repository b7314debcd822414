// Reductions over axes: an attribute at first, an operand since opset 13 (sums) or 18.
#include <cmath>

#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/reduce/reduce.h"
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
  if (!keep && std::ssize(over) == of.shape.rank()) {
    const Value one = n.add(suffix + (suffix.empty() ? "kept" : ".kept"),
                            reduce({.kind = kind, .axes = over, .keep = true}), {x});
    return n.reshape(suffix, one, {});
  }
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

void log_sum_node(NodeImport& n) {
  if (axes(n, given_axes(n), n.shape(0).rank()).empty())
    return n.output(n.add(function_op("log"), {n.port(0)}));
  n.output(n.add(function_op("log"), {reduced(n, "sum", Reduce::Kind::sum, n.port(0)).port}));
}
// log Σ exp(x − m) + m, with m the greatest, so that nothing overflows.
void log_sum_exp(NodeImport& n) {
  const std::vector<int> over = axes(n, given_axes(n), n.shape(0).rank());
  if (over.empty()) return n.output(n.value(0));
  const Value greatest =
      n.add("greatest", reduce({.kind = Reduce::Kind::max, .axes = over, .keep = true}), {n.port(0)});
  const Value below = n.add("below", sub(), {n.port(0), greatest.port});
  const Value sum = reduced(n, "sum", Reduce::Kind::sum, n.add("exp", function_op("exp"), {below.port}).port);
  const Value log = n.add("log", function_op("log"), {sum.port});
  const bool keep = n.i("keepdims", 1) != 0;
  const Port back = keep ? greatest.port : reduced(n, "greatest_dropped", Reduce::Kind::max, n.port(0)).port;
  n.output(n.add(add(), {log.port, back}));
}

// end(total, how many) of each group, where total begins with `begin` (of no element) and is then step(so far,
// element), in order.
struct Total {
  double (*step)(double, double);
  double begin;
  double (*end)(double, double) = [](double total, double) { return total; };
};
Folded fold_groups(const NodeImport& n, Operands operands, const Total& by) {
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
  const double begin = x.is_real() || std::isfinite(by.begin) ? by.begin : 0;
  std::vector<double> totals(static_cast<size_t>(kept.numel()), begin), counts(totals.size());
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto at = static_cast<size_t>(repeated(kept, x.shape, i));
    totals[at] = by.step(counts[at]++ == 0 ? by.begin : totals[at], x.real(i));
  }
  for (size_t i = 0; i < totals.size(); ++i) totals[i] = by.end(totals[i], counts[i]);
  return {make_constant(x.type, Shape(std::span<const int64_t>(left)), totals)};
}

double sum(double a, double b) { return a + b; }
double larger(double a, double b) { return b > a || b != b ? b : a; }
double smaller(double a, double b) { return b < a || b != b ? b : a; }
double add_square(double a, double b) { return a + b * b; }
// log(exp a + exp b).
double log_sum(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  return std::isinf(high) || std::isinf(low) ? high : high + std::log1p(std::exp(low - high));
}
constexpr Total kSum{sum, 0}, kProduct{[](double a, double b) { return a * b; }, 1},
    kMean{sum, 0, [](double total, double count) { return total / count; }}, kMax{larger, -HUGE_VAL},
    kMin{smaller, HUGE_VAL}, kL1{[](double a, double b) { return a + std::abs(b); }, 0},
    kL2{add_square, 0, [](double total, double) { return std::sqrt(total); }}, kSumSquare{add_square, 0},
    kLogSum{sum, 0, [](double total, double) { return std::log(total); }}, kLogSumExp{log_sum, -HUGE_VAL};
template <const Total& by>
Folded fold(const NodeImport& n, Operands operands) {
  return fold_groups(n, operands, by);
}

}  // namespace

extern const OnnxGroup reduce_onnx;
const OnnxGroup reduce_onnx{{
    {"ReduceSum", plain<Reduce::Kind::sum>, fold<kSum>},
    {"ReduceMean", plain<Reduce::Kind::mean>, fold<kMean>},
    {"ReduceMax", plain<Reduce::Kind::max>, fold<kMax>},
    {"ReduceMin", least, fold<kMin>},
    {"ReduceProd", nullptr, fold<kProduct>},
    {"ReduceL1", l1, fold<kL1>},
    {"ReduceL2", l2, fold<kL2>},
    {"ReduceSumSquare", sum_square, fold<kSumSquare>},
    {"ReduceLogSum", log_sum_node, fold<kLogSum>},
    {"ReduceLogSumExp", log_sum_exp, fold<kLogSumExp>},
}};

}  // namespace loupe
