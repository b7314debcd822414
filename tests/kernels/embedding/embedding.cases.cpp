#include "kernels/embedding/embedding.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

namespace {

OpCase embed(std::string name, Embedding e, Shape tokens) {
  return {.name = std::move(name),
          .op = embedding(e),
          .inputs = {tokens},
          .draws = {Draw::indices},
          .limit = e.count};
}

}  // namespace

extern const OpSuite embedding_suite{
    .cases = {embed("tokens, some twice", {.count = 7, .width = 5}, {3, 4}),
              embed("wider than a warp's part", {.count = 9, .width = 150}, {1, 3}),
              embed("more tokens than rows", {.count = 3, .width = 2}, {2, 40}),
              embed("a token an image", {.count = 20, .width = 16}, {3})},
    .rejections = {{"no row", [] { embedding({.count = 0, .width = 4}); }, "a table of 1 to"},
                   {"no number in a row", [] { embedding({.count = 4, .width = 0}); }, "got 4×0"},
                   {"tokens of floats",
                    [] {
                      infer(embedding({4, 2}), {{1, 3}});
                    },
                    "tokens i32"},
                   {"no token",
                    [] {
                      infer(embedding({4, 2}), {{0, 3}}, {Dtype::i32});
                    },
                    "non-empty"},
                   {"another table",
                    [] {
                      embedding({4, 2})->infer(std::vector<Type>{{Dtype::i32, {1, 3}}, {Dtype::f32, {4, 3}}});
                    },
                    "its weight must be (4, 2), got (4, 3)"}},
    .exact = true,
    // The vjp reads tokens, which are no numbers to round.
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>(); },
};

}  // namespace loupe::test
