#include "kernels/position_embedding/position_embedding.h"

#include "tests/support/op_suite.h"

namespace loupe::test {
namespace {

OpCase rows(std::string name, PositionEmbedding e, Shape tokens) {
  return {.name = std::move(name),
          .op = position_embedding(e),
          .inputs = {tokens},
          .draws = {Draw::indices},
          .limit = 100};
}

}  // namespace

extern const OpSuite position_embedding_suite{
    .cases = {rows("fewer tokens than rows", {.count = 7, .width = 5}, {3, 4}),
              rows("as many, wider than a warp", {.count = 3, .width = 70}, {2, 3}),
              rows("from the third row on", {.count = 9, .width = 4, .offset = 2}, {2, 5})},
    .rejections = {{"no row", [] { position_embedding({.count = 0, .width = 4}); }, "got 0×4"},
                   {"an offset behind the table",
                    [] {
                      position_embedding({3, 4, 3});
                    },
                    "an offset within it"},
                   {"more tokens than rows",
                    [] {
                      infer(position_embedding({4, 2}), {{1, 5}}, {Dtype::i32});
                    },
                    "there are 5 tokens, and 4 positions"},
                   {"tokens of floats",
                    [] {
                      infer(position_embedding({4, 2}), {{1, 3}});
                    },
                    "tokens i32"},
                   {"no token",
                    [] {
                      infer(position_embedding({4, 2}), {{0, 3}}, {Dtype::i32});
                    },
                    "non-empty"}},
    .exact = true,
};

}  // namespace loupe::test
