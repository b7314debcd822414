#include "kernels/secant_relu/secant_relu.h"

#include <cmath>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase chords(std::string name, const Shape& s) { return {std::move(name), secant_relu(), {s, s}}; }

Rejection refuse(std::string name, std::vector<Shape> shapes, std::string message) {
  return {std::move(name), [=] { infer(secant_relu(), shapes); }, std::move(message)};
}

// Of the signal alone: a slope lies between 0 and 1.
std::vector<double> magnitude(const OpCase&, Direction d, const Operands& o) {
  std::vector<double> m = d.is_forward() ? o.inputs[0] : o.grad_output;
  for (double& v : m) v = std::fabs(v);
  return m;
}

}  // namespace

extern const OpSuite secant_relu_suite{
    .cases = {chords("odd map, 17 channels, three rows", {3, 17, 5, 7}), chords("vectors", {4, 33}),
              chords("tokens", {2, 5, 37}), chords("several tasks", {3, 20, 43, 45}),
              chords("one row, which has no next", {1, 16, 4, 4}), chords("whole blocks", {5, 32, 6, 6})},
    .rejections = {refuse("two shapes", {{1, 2}, {1, 3}}, "of one shape (N, …), got (1, 2) and (1, 3)"),
                   refuse("one operand", {{1, 2}}, "2 input(s), got 1"),
                   refuse("no element", {{1, 0}, {1, 0}}, "non-empty")},
    // A subtraction, a division and a product of numbers that are exact.
    .function_ulps = 2,
    .magnitude = magnitude,
    .mixes_images = true,
};

}  // namespace loupe::test
