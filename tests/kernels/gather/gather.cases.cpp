#include "kernels/gather/gather.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

// Indices have no batch; of axis 0, neither has x.
OpCase pick(std::string name, int axis, Shape x, Shape indices, bool images = true) {
  const int64_t limit = x[axis < 0 ? axis + x.rank() : axis];
  return {.name = std::move(name),
          .op = gather(axis),
          .inputs = {x, indices},
          .draws = {Draw::uniform, Draw::indices},
          .limit = limit,
          .unbatched = images ? 2u : 1u};
}

const std::vector<Dtype> kTypes = {Dtype::f32, Dtype::i32};

}  // namespace

extern const OpSuite gather_suite{
    .cases = {pick("rows of a matrix", 0, {7, 5}, {11}, false),
              pick("tokens, wider than a warp's part", 1, {2, 9, 150}, {4}),
              pick("indices of two dimensions", 1, {3, 9, 6}, {3, 2}),
              pick("numbers of rows", -1, {3, 4, 8}, {13}),
              pick("more indices than a warp looks at", 1, {1, 5, 3}, {70}),
              pick("one index", 2, {1, 2, 1, 4}, {1})},
    .rejections = {{"no such axis",
                    [] {
                      infer(gather(2), {{3, 4}, {2}}, kTypes);
                    },
                    "has no axis 2"},
                   {"indices of floats",
                    [] {
                      infer(gather(0), {{3, 4}, {2}});
                    },
                    "indices i32, got f32 and f32"},
                   {"no index",
                    [] {
                      infer(gather(0), {{3, 4}, {0}}, kTypes);
                    },
                    "non-empty"},
                   {"an empty input",
                    [] {
                      infer(gather(0), {{0, 4}, {2}}, kTypes);
                    },
                    "non-empty"},
                   {"one input",
                    [] {
                      infer(gather(0), {{3, 4}});
                    },
                    "2 inputs, got 1"},
                   {"seven dimensions",
                    [] {
                      infer(gather(0), {{3, 1, 1, 1}, {2, 1, 1, 1}}, kTypes);
                    },
                    "more than 6 dimensions"},
                   {"an index beyond the axis",
                    [] {
                      const int32_t indices[] = {0, 3};
                      expect_indices("gather", indices, {.outer = 1, .count = 3, .inner = 1, .picks = 2});
                    },
                    "gather: index 3 (number 1) is not below 3"}},
    .exact = true,
    // The vjp reads indices, which are no numbers to round.
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>(); },
};

}  // namespace loupe::test
