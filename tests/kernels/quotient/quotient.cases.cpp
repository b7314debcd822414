#include "kernels/quotient/quotient.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Divisors are odd multiples of half a step, so that none is near a whole number, where the function jumps.
OpCase divide(std::string name, const Shape& s, double least = 1) {
  return {std::move(name), quotient(least), {s, s, s}, {Draw::uniform, Draw::distinct, Draw::uniform}};
}

Rejection refuse(std::string name, std::vector<Shape> shapes, std::string message) {
  return {std::move(name), [=] { infer(quotient(0.5), shapes); }, std::move(message)};
}

}  // namespace

// Exact: a quotient rounded to double and then to float32 is the float32 quotient. On absolute values both vjps are the
// magnitudes of their terms.
extern const OpSuite quotient_suite{
    .cases = {divide("odd map, 17 channels, three images", {3, 17, 5, 7}), divide("vectors", {3, 33}),
              divide("tokens", {2, 5, 37}), divide("several tasks", {1, 20, 43, 45}),
              OpCase{"nothing is too small",
                     quotient(1e-10),
                     {{2, 16, 9, 9}, {2, 16, 9, 9}, {2, 16, 9, 9}},
                     {Draw::uniform, Draw::positive, Draw::uniform}},
              divide("everything is too small", {2, 18, 3, 3}, 1000), divide("one element", {1, 1})},
    .rejections = {refuse("two shapes", {{1, 2}, {1, 3}, {1, 2}},
                          "of one shape, got (1, 2), (1, 3) and (1, 2)"),
                   refuse("two operands", {{1, 2}, {1, 2}}, "3 input(s), got 2"),
                   refuse("no element", {{1, 0}, {1, 0}, {1, 0}}, "non-empty"),
                   {"least 0", [] { quotient(0); }, "above 0"}},
    .exact = true,
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>(); },
};

}  // namespace loupe::test
