#include "kernels/add/add.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {
OpCase same(const char* name, const Shape& s, Draw draw = Draw::uniform) {
  return {name, add(), {s, s}, {draw, draw}};
}
}  // namespace

// Exact: a sum of two float32 numbers rounded from double is the float32 sum (double has more than 2·24 + 1
// bits).
extern const OpSuite add_suite{
    .cases = {same("odd map, 17 channels, batch 3", {3, 17, 5, 7}), same("1×1 map", {1, 16, 1, 1}),
              same("vectors", {3, 33}), same("one element", {1, 1, 1, 1}),
              same("several tasks", {1, 20, 23, 25}, Draw::distinct)},
    .rejections = {{"two shapes",
                    [] {
                      infer(add(), {{1, 2, 3, 3}, {1, 2, 3, 4}});
                    },
                    "the same shape, got (1, 2, 3, 3) and (1, 2, 3, 4)"},
                   {"one input",
                    [] {
                      infer(add(), {{1, 2}});
                    },
                    "add takes 2 input(s), got 1"},
                   {"no element",
                    [] {
                      infer(add(), {{1, 0}, {1, 0}});
                    },
                    "non-empty"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
