#include "kernels/edit/edit.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// A mask is drawn from 0 and 1.
OpCase edit(std::string name, EditKind kind, const Shape& s) {
  return {std::move(name), edit_op(kind), {s, s, s}, {Draw::uniform, Draw::switches, Draw::uniform}, 2};
}

Rejection refuse(std::string name, std::vector<Shape> shapes, std::vector<Dtype> dtypes,
                 std::string message) {
  return {std::move(name), [=] { infer(edit_op(EditKind::set), shapes, dtypes); }, std::move(message)};
}

}  // namespace

// Exact: a sum or a product of two float32 numbers, rounded from double, is that of float32.
extern const OpSuite edit_suite{
    .cases = {edit("set: odd map, 17 channels, batch 3", EditKind::set, {3, 17, 5, 7}),
              edit("add: odd map, 17 channels, batch 3", EditKind::add, {3, 17, 5, 7}),
              edit("scale: odd map, 17 channels, batch 3", EditKind::scale, {3, 17, 5, 7}),
              edit("set: vectors", EditKind::set, {3, 33}), edit("add: vectors", EditKind::add, {1, 16}),
              edit("scale: vectors", EditKind::scale, {3, 33}),
              edit("set: tokens", EditKind::set, {2, 5, 37}), edit("add: tokens", EditKind::add, {2, 5, 37}),
              edit("scale: tokens", EditKind::scale, {2, 5, 37}),
              edit("set: several tasks", EditKind::set, {1, 20, 43, 45}),
              edit("scale: one element", EditKind::scale, {1, 1})},
    .rejections = {refuse("two shapes", {{1, 2}, {1, 3}, {1, 2}}, {Dtype::f32, Dtype::u8},
                          "of one shape, got (1, 2), (1, 3) and (1, 2)"),
                   refuse("a mask of floats", {{1, 2}, {1, 2}, {1, 2}}, {}, "a mask of u8, got f32"),
                   refuse("no values", {{1, 2}, {1, 2}}, {Dtype::f32, Dtype::u8}, "3 input(s), got 2"),
                   refuse("no element", {{1, 0}, {1, 0}, {1, 0}}, {Dtype::f32, Dtype::u8}, "non-empty")},
    .exact = true,
    // The usual one: no element is the sum of two terms that could cancel.
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>(); },
};

}  // namespace loupe::test
