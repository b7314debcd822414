// The case tables of the binary ops: the same shapes for all.
#pragma once
#include <string>
#include <vector>

#include "kernels/elementwise/binary.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

/// The second operand is drawn apart from the first, so that maximum and minimum have no ties. `large`: with arrays of
/// several tasks, which one or two ops are enough for, as all are cut by the same code.
inline std::vector<OpCase> binary_cases(const OpPtr& op, Draw draw = Draw::uniform, bool large = false) {
  const std::vector<Draw> draws{draw, draw == Draw::distinct ? Draw::apart : draw};
  std::vector<OpCase> cases;
  // `unbatched` as OpCase has it: bit 1, the second operand is the same for every image.
  const auto add = [&](const char* name, const Shape& a, const Shape& b, uint32_t unbatched = 0) {
    cases.push_back({name, op, {a, b}, draws, 0, unbatched});
  };
  add("odd map, 17 channels, three images", {3, 17, 5, 7}, {3, 17, 5, 7});
  add("1×1 map", {1, 16, 1, 1}, {1, 16, 1, 1});
  add("vectors", {3, 33}, {3, 33});
  add("one element", {1, 1, 1, 1}, {1, 1, 1, 1});
  if (large) add("several tasks", {1, 20, 43, 45}, {1, 20, 43, 45});
  add("tokens", {2, 5, 37}, {2, 5, 37});
  add("maps and a number for each (squeeze and excitation)", {2, 19, 7, 6}, {2, 19, 1, 1});
  if (large) add("the same, large", {1, 32, 33, 31}, {1, 32, 1, 1});
  add("a number for each and maps", {2, 19, 1, 1}, {2, 19, 7, 6});
  add("a number for each channel", {2, 18, 3, 5}, {1, 18, 1, 1}, 2);
  add("one map for all channels", {2, 18, 3, 5}, {2, 1, 3, 5});
  add("rows and columns", {2, 3, 7, 1}, {2, 3, 1, 9});
  add("a vector for every token", {2, 5, 37}, {37}, 2);
  add("a number for every token", {3, 5, 37}, {3, 5, 1});
  add("one number", {2, 3, 4}, {1}, 2);
  add("positions for all images", {3, 6, 20}, {1, 6, 20}, 2);
  add("vectors and one vector", {5, 33}, {1, 33}, 2);
  add("a column and a row", {7, 1}, {1, 40}, 1);
  add("every second dimension of six", {2, 3, 2, 3, 2, 3}, {2, 1, 2, 1, 2, 1});
  return cases;
}

inline std::vector<Rejection> binary_rejections(const OpPtr& op) {
  const std::string name(op->kind().name);
  return {{"shapes that do not broadcast",
           [op] {
             infer(op, {{1, 2, 3, 3}, {1, 2, 3, 4}});
           },
           name + " takes shapes that broadcast, got (1, 2, 3, 3) and (1, 2, 3, 4)"},
          {"one input",
           [op] {
             infer(op, {{1, 2}});
           },
           name + " takes 2 input(s), got 1"},
          {"no element",
           [op] {
             infer(op, {{1, 0}, {1, 0}});
           },
           "non-empty"}};
}

/// Of maximum and minimum: a vjp hands on the signal, or half of it, or nothing.
inline std::vector<double> magnitude_of_a_choice(const OpCase&, Direction d, const Operands& o) {
  if (d.is_forward()) return {};
  Operands all = o;
  for (double& g : all.grad_output) g = g < 0 ? -g : g;
  all.record = {};
  return call(*add(), d, {}, all).value.numbers();
}

}  // namespace loupe::test
