#include "kernels/stable_div/stable_div.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase quotient(std::string name, double epsilon, const Shape& s, Draw divisor = Draw::positive) {
  return {std::move(name), stable_div(epsilon), {s, s}, {Draw::uniform, divisor}};
}

Rejection refuse(std::string name, std::vector<Shape> shapes, std::string message) {
  return {std::move(name), [=] { infer(stable_div(1e-6), shapes); }, std::move(message)};
}

}  // namespace

extern const OpSuite stable_div_suite{
    .cases = {quotient("odd map, 17 channels, batch 3", 1e-6, {3, 17, 5, 7}),
              quotient("divisors of both signs", 0.25, {3, 17, 5, 7}, Draw::distinct),
              quotient("no epsilon", 0, {3, 17, 5, 7}), quotient("vectors", 0.5, {3, 33}),
              quotient("tokens", 1e-6, {2, 5, 37}), quotient("several tasks", 1e-6, {1, 20, 43, 45}),
              quotient("one element", 1e-6, {1, 1})},
    .rejections = {refuse("two shapes", {{1, 2}, {1, 3}}, "of one shape, got (1, 2) and (1, 3)"),
                   refuse("one input", {{1, 2}}, "2 input(s), got 1"),
                   refuse("no element", {{1, 0}, {1, 0}}, "non-empty"),
                   {"an epsilon below 0", [] { stable_div(-1); }, "an epsilon of at least 0, got -1"}},
    // Of the vjp: the divisor's sum with epsilon is rounded and enters twice, which with a product and two quotients
    // makes five roundings, one more than the usual bound allows.
    .function_ulps = 0.5,
    // The usual one: no element is the sum of terms that could cancel.
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>(); },
};

}  // namespace loupe::test
