#include "kernels/max_route2d/max_route2d.h"

#include <cmath>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Maps are multiples of 1/16: with 30 bits they stay as they are, and with 2 many places of a window tie.
OpCase route(std::string name, const MaxPool2d& pool, Shape map, int bits = 30) {
  const Pooling pooling = pool.pooling();
  const Pair pooled = pooling.windows({map[2], map[3]});
  return {std::move(name),
          max_route2d({pooling, bits}),
          {{map[0], map[1], pooled.h, pooled.w}, map},
          {Draw::uniform, Draw::apart}};
}

Rejection refuse(std::string name, MaxRoute2d attributes, Shape v, Shape x, std::string message) {
  return {std::move(name), [=] { infer(max_route2d(attributes), {v, x}); }, std::move(message)};
}

// Of the numbers alone: the map is not a term.
std::vector<double> magnitude(const OpCase& c, Direction d, const Operands& o) {
  Operands all = o;
  for (double& v : all.inputs[0]) v = std::fabs(v);
  for (double& g : all.grad_output) g = std::fabs(g);
  return call(*c.op, d, {}, all).value.numbers();
}

const Pooling kTwo = MaxPool2d{.kernel = 2}.pooling();

}  // namespace

extern const OpSuite max_route2d_suite{
    .cases = {route("2×2, even map", {.kernel = 2}, {1, 16, 8, 8}),
              route("2×2, odd map", {.kernel = 2}, {3, 3, 7, 5}),
              route("2×2, rows of whole vectors", {.kernel = 2}, {3, 5, 6, 12}),
              route("3×3, stride 2, overlapping", {.kernel = 3, .stride = 2}, {2, 17, 9, 11}),
              route("3×3, stride 2, ceil, rounded until places tie",
                    {.kernel = 3, .stride = 2, .ceil_mode = true}, {2, 40, 8, 6}, 2),
              route("3×3, stride 1, padding 1, rounded to whole numbers",
                    {.kernel = 3, .stride = 1, .padding = 1}, {1, 16, 5, 6}, 0),
              route("dilation 2×3", {.kernel = 3, .stride = 2, .padding = 1, .dilation = {2, 3}},
                    {1, 16, 9, 11}),
              route("1×1 map", {.kernel = 1}, {3, 40, 1, 1}),
              route("256 cells", {.kernel = 16, .stride = 2}, {1, 3, 17, 18})},
    .rejections = {refuse("not maps", {kTwo}, {1, 3}, {1, 3}, "(N, C, H, W)"),
                   refuse("other windows", {kTwo}, {1, 3, 2, 3}, {1, 3, 4, 4}, "gives 2×2 windows"),
                   refuse("other channels", {kTwo}, {1, 2, 2, 2}, {1, 3, 4, 4}, "gives 2×2 windows"),
                   refuse("272 cells", {MaxPool2d{.kernel = {16, 17}}.pooling()}, {1, 1, 2, 2},
                          {1, 1, 32, 34}, "at most 256 cells"),
                   {"bits below 0",
                    [] {
                      max_route2d({kTwo, -1});
                    },
                    "0 to 60 bits"},
                   {"one operand",
                    [] {
                      infer(max_route2d({kTwo}), {{1, 3, 2, 2}});
                    },
                    "2 input(s), got 1"}},
    .magnitude = [](const OpCase& c, Direction d, const Operands& o) { return magnitude(c, d, o); },
};

}  // namespace loupe::test
