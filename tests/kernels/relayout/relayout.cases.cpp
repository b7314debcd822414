#include "kernels/relayout/relayout.h"

#include <doctest/doctest.h>

#include "tests/support/op_call.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

// The harness gives both arrays one layout, in which nothing moves.
extern const OpSuite relayout_suite{
    .cases = {{"odd map, batch 3", relayout(), {{3, 17, 3, 5}}},
              {"vectors", relayout(), {{3, 33}}},
              {"tokens", relayout(), {{2, 3, 7}}}},
    .rejections = {{"no element",
                    [] {
                      infer(relayout(), {{1, 0}});
                    },
                    "non-empty"},
                   {"two inputs",
                    [] {
                      infer(relayout(), {{1, 2}, {1, 2}});
                    },
                    "1 input(s), got 2"}},
    .linear = true,
    .exact = true,
};

namespace {

Array array_of(Stored& s) { return {s.bytes.data(), s.dtype, s.shape, s.layout}; }

}  // namespace

TEST_CASE("relayout: from either layout to the other, forward and back") {
  for (const Shape& shape : {Shape{3, 17, 3, 5}, Shape{1, 32, 2, 2}, Shape{3, 33}, Shape{2, 16}}) {
    CAPTURE(shape.str());
    Numbers x;
    for (int64_t i = 0; i < shape.numel(); ++i) x.push_back(static_cast<double>(i % 257) / 16);
    Stored planar = Stored::of(x, Dtype::f32, shape, Layout::planar),
           blocked = Stored::of(x, Dtype::f32, shape, Layout::blocked);
    CHECK(same_in_both_layouts(shape) == (planar.bytes == blocked.bytes));
    for (Stored* from : {&planar, &blocked})
      for (const Direction d : {Direction::forward, Direction::vjp_input}) {
        const Stored& expected = from == &planar ? blocked : planar;
        Stored to = expected;
        to.bytes.assign(to.bytes.size(), std::byte{0xFF});
        const Array input = array_of(*from);
        Arguments a;
        a.direction = d;
        (d.is_forward() ? a.output : a.grad) = array_of(to);
        if (d.is_forward())
          a.inputs = {&input, 1};
        else
          a.grad_output = input;
        relayout()->prepare(Backend::cpu, d, {&shape, 1}, {}).run(a);
        CHECK(to.bytes == expected.bytes);
      }
  }
}

}  // namespace loupe::test
