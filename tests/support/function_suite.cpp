#include "tests/support/function_suite.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/support/op_call.h"

namespace loupe::test {

std::vector<Function> with_parameters(std::string_view name) {
  const Function usual = function_op(name)->function();
  const size_t count = function_info(usual).parameters.size();
  std::vector<Function> all{usual};
  // Slopes and scales; or limits, all of them between the numbers of Draw::distinct.
  for (const auto& [a, b] : {std::pair{-0.75f, 1.25f}, {0.0f, 0.5f}, {2.0f, 3.0f}}) {
    if (count == 0) break;
    all.push_back({usual.id, a, count > 1 ? b : usual.b});
  }
  return all;
}

std::vector<Function> every_function() {
  std::vector<Function> all;
  for (const FunctionInfo& f : all_functions())
    for (const Function& g : with_parameters(f.name)) all.push_back(g);
  return all;
}

namespace {

using Bound = double (*)(double);

double value(const Function& f, double x) {
  double y;
  ref::finish({.function = f}, &x, static_cast<const double*>(nullptr), &y, nullptr, 1, 1);
  return y;
}

// M of op_checks.h, with which a bound of four roundings, 4u, is one of four and of what FunctionDefaults
// says.
Numbers widened(const Numbers& size, const Numbers& x, Bound ulps) {
  Numbers m(size.size());
  for (size_t i = 0; i < m.size(); ++i)
    m[i] = size[i] * (1 + ulps(x[i]) / 2) + (1 + std::fabs(x[i])) * 0x1p-149 / (4 * 0x1p-24);
  return m;
}

Numbers magnitude(const Op& op, Direction d, const Operands& o) {
  const FunctionInfo& info = function_info(op.function());
  if (d.is_forward()) {
    Numbers y = o.output->numbers();
    for (double& v : y) v = std::fabs(v);
    return widened(y, o.inputs[0], info.ulps);
  }
  Operands one = o;
  one.grad_output.assign(o.grad_output.size(), 1);
  Numbers size = call(op, d, {}, one).value.numbers();
  for (size_t i = 0; i < size.size(); ++i)
    size[i] = std::fabs(o.grad_output[i]) * std::max(std::fabs(size[i]), 1.0);
  return widened(size, o.inputs[0], info.slope_ulps);
}

OpSuite suite_of(std::string_view name) {
  OpSuite suite;
  const OpPtr op = function_op(name);
  const FunctionInfo& info = function_info(op->function());
  const bool positive = std::isnan(value(op->function(), -1));  // its domain
  const Draw draw = positive ? Draw::positive : Draw::distinct;
  const auto add = [&](const char* shape, const Shape& s, const OpPtr& f, const std::string& which = {}) {
    suite.cases.push_back({shape + which, f, {s}, {draw}});
  };
  add("odd map, 17 channels, batch 3", {3, 17, 5, 7}, op);
  add("1×1 map", {1, 16, 1, 1}, op);
  add("vectors", {3, 33}, op);
  add("whole vectors, half a byte at the end", {3, 5, 2, 2}, op);
  add("one element", {1, 1, 1, 1}, op);
  add("several tasks", {1, 20, 23, 25}, op);
  add("tokens", {2, 5, 37}, op);
  add("rank 1", {29}, op);
  add("rank 6", {2, 1, 3, 2, 5, 1}, op);
  for (const Function& f : with_parameters(name))
    if (f != op->function()) add("19 channels, ", {2, 19, 3, 2}, function_op(f), describe(f, false));
  const std::string text(name);
  suite.rejections = {{"no element",
                       [op] {
                         infer(op, {{1, 0, 4, 4}});
                       },
                       text + " takes a non-empty input, got (1, 0, 4, 4)"},
                      {"two inputs",
                       [op] {
                         infer(op, {{1, 2}, {1, 2}});
                       },
                       text + " takes 1 input(s), got 2"},
                      {"three parameters",
                       [text] {
                         function_op(text, {1, 2, 3});
                       },
                       text + " takes at most"}};
  // Half an ulp is the result of ref in double, rounded to float32.
  suite.exact = info.ulps(0) <= 0.5 && info.ulps(-8) <= 0.5 && info.ulps(8) <= 0.5;
  suite.derivative_error = info.slope_error;
  suite.magnitude = [](const OpCase& c, Direction d, const Operands& o) { return magnitude(*c.op, d, o); };
  if (info.keeps == Keeps::output)
    suite.record_magnitude = [op](const Operands& o) { return magnitude(*op, Direction::forward, o); };
  return suite;
}

}  // namespace

const OpSuite& function_suite(std::string_view name) {
  static std::map<std::string_view, OpSuite> suites;
  const auto found = suites.find(name);
  return found != suites.end() ? found->second : suites.emplace(name, suite_of(name)).first->second;
}

}  // namespace loupe::test
