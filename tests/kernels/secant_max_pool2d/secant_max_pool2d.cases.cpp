#include "kernels/secant_max_pool2d/secant_max_pool2d.h"

#include <cmath>

#include "kernels/max_pool2d/max_pool2d.h"
#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Maps are multiples of 1/16: differences are exact.
OpCase chords(std::string name, const MaxPool2d& pool, Shape map) {
  const Pooling pooling = pool.pooling();
  const Pair pooled = pooling.windows({map[2], map[3]});
  return {std::move(name),
          secant_max_pool2d(pooling),
          {{map[0], map[1], pooled.h, pooled.w}, map},
          {Draw::uniform, Draw::apart}};
}

Rejection refuse(std::string name, Pooling pooling, Shape s, Shape x, std::string message) {
  return {std::move(name), [=] { infer(secant_max_pool2d(pooling), {s, x}); }, std::move(message)};
}

// Of the signal alone: shares are positive.
std::vector<double> magnitude(const OpCase& c, Direction d, const Operands& o) {
  Operands all = o;
  for (double& v : all.inputs[0]) v = std::fabs(v);
  for (double& v : all.grad_output) v = std::fabs(v);
  return call(*c.op, d, {}, all).value.numbers();
}

const Pooling kTwo = MaxPool2d{.kernel = 2}.pooling();

}  // namespace

extern const OpSuite secant_max_pool2d_suite{
    .cases = {chords("2×2, even map", {.kernel = 2}, {3, 16, 8, 8}),
              chords("2×2, odd map", {.kernel = 2}, {3, 3, 7, 5}),
              chords("3×3, stride 2, overlapping", {.kernel = 3, .stride = 2}, {4, 17, 9, 11}),
              chords("3×3, stride 2, ceil", {.kernel = 3, .stride = 2, .ceil_mode = true}, {2, 40, 8, 6}),
              chords("3×3, stride 1, padding 1", {.kernel = 3, .stride = 1, .padding = 1}, {3, 16, 5, 6}),
              chords("dilation 2×3", {.kernel = 3, .stride = 2, .padding = 1, .dilation = {2, 3}},
                     {2, 16, 9, 11}),
              chords("one row, which has no next", {.kernel = 2}, {1, 16, 4, 4})},
    .rejections = {refuse("not maps", kTwo, {1, 3}, {1, 3}, "(N, C, H, W)"),
                   refuse("other windows", kTwo, {1, 3, 2, 3}, {1, 3, 4, 4}, "gives 2×2 windows"),
                   refuse("272 cells", MaxPool2d{.kernel = {16, 17}}.pooling(), {1, 1, 2, 2}, {1, 1, 32, 34},
                          "at most 256 cells"),
                   {"one operand",
                    [] {
                      infer(secant_max_pool2d(kTwo), {{1, 3, 2, 2}});
                    },
                    "2 input(s), got 1"}},
    .function_ulps = 3,  // a sum, a quotient and a product of exact differences
    .magnitude = magnitude,
    .mixes_images = true,
};

}  // namespace loupe::test
