#include "kernels/transpose/transpose.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite transpose_suite{
    .cases =
        {
            {"tokens of maps", transpose({0, 2, 3, 1}), {{3, 40, 7, 5}}},
            {"heads, rows of whole vectors", transpose({0, 2, 1, 3}), {{3, 5, 3, 8}}},
            {"heads, odd rows", transpose({0, 2, 1, 3}), {{1, 5, 3, 7}}},
            {"matrices larger than a tile", transpose({0, 2, 1}), {{3, 70, 33}}},
            {"one column", transpose({0, 2, 1}), {{1, 9, 1}}},
            {"the batch too", transpose({1, 0}), {{33, 18}}, {}, 0, 1},
            {"the batch between others", transpose({1, 2, 0, 3}), {{3, 4, 2, 5}}, {}, 0, 1},
            {"six dimensions", transpose({0, 5, 3, 1, 4, 2}), {{1, 3, 4, 5, 2, 3}}},
            {"the order that was", transpose({0, 1, 2}), {{3, 4, 5}}},
            {"masks: matrices larger than a tile", transpose({0, 2, 1}), {{3, 70, 33}}, {Draw::switches}, 2},
            {"masks: heads, odd rows", transpose({0, 2, 1, 3}), {{1, 5, 3, 7}}, {Draw::switches}, 2},
            {"one number", transpose({2, 0, 1}), {{1, 1, 1}}, {}, 0, 1},
        },
    .rejections = {{"an axis twice",
                    [] {
                      transpose({0, 1, 1});
                    },
                    "each axis from 0 on once (at most 6), got 0, 1, 1"},
                   {"no axis", [] { transpose({}); }, "each axis from 0 on once"},
                   {"seven axes",
                    [] {
                      transpose({0, 1, 2, 3, 4, 5, 6});
                    },
                    "at most 6"},
                   {"another rank",
                    [] {
                      infer(transpose({1, 0}), {{1, 2, 3}});
                    },
                    "takes 2 dimensions, got (1, 2, 3)"},
                   {"empty",
                    [] {
                      infer(transpose({1, 0}), {{0, 2}});
                    },
                    "non-empty"},
                   {"two inputs",
                    [] {
                      infer(transpose({0}), {{2}, {2}});
                    },
                    "1 input"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
