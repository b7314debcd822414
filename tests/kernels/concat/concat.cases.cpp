#include "kernels/concat/concat.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite concat_suite{
    .cases = {{"whole blocks, batch 3", concat(), {{3, 16, 3, 5}, {3, 32, 3, 5}}},
              {"whole blocks, then part of one", concat(), {{1, 32, 3, 3}, {1, 5, 3, 3}}},
              {"ranges that start and end inside blocks",
               concat(),
               {{3, 7, 3, 2}, {3, 30, 3, 2}, {3, 1, 3, 2}, {3, 20, 3, 2}}},
              {"three inputs within one block", concat(), {{1, 3, 5, 1}, {1, 4, 5, 1}, {1, 5, 5, 1}}},
              {"one input", concat(), {{3, 19, 3, 3}}},
              {"1×1 maps", concat(), {{1, 24, 1, 1}, {1, 40, 1, 1}}},
              {"vectors", concat(), {{3, 10}, {3, 33}}},
              {"tokens", concat(), {{3, 1, 8}, {3, 6, 8}}},
              {"the last axis, odd", concat(-1), {{3, 5, 7}, {3, 5, 4}}},
              {"rows of maps", concat(2), {{1, 17, 3, 4}, {1, 17, 2, 4}}},
              {"images", concat(0), {{2, 3, 4}, {3, 3, 4}}, {}, 0, 1}},
    .rejections = {{"no input", [] { infer(concat(), {}); }, "at least one input"},
                   {"two sizes of map",
                    [] {
                      infer(concat(), {{1, 2, 3, 3}, {1, 2, 3, 4}});
                    },
                    "differ in their channels only, got (1, 2, 3, 3) and (1, 2, 3, 4)"},
                   {"no such axis",
                    [] {
                      infer(concat(2), {{1, 2}, {1, 2}});
                    },
                    "has no axis 2"},
                   {"two sizes beside the last axis",
                    [] {
                      infer(concat(-1), {{1, 2, 3}, {1, 3, 3}});
                    },
                    "differ in axis 2 only"},
                   {"floats and indices",
                    [] {
                      infer(concat(), {{1, 2}, {1, 2}}, {Dtype::f32, Dtype::i32});
                    },
                    "of one type, got f32 and i32"},
                   {"two batches",
                    [] {
                      infer(concat(), {{1, 2}, {2, 2}});
                    },
                    "differ in their channels only"},
                   {"maps and vectors",
                    [] {
                      infer(concat(), {{1, 2, 1, 1}, {1, 2}});
                    },
                    "differ in their channels only"},
                   {"no channel",
                    [] {
                      infer(concat(), {{1, 2, 3, 3}, {1, 0, 3, 3}});
                    },
                    "non-empty"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
