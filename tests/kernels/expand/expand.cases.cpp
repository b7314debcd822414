#include "kernels/expand/expand.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

// The batch is what it makes: no operand has images of its own.
extern const OpSuite expand_suite{
    .cases =
        {
            {"a class token", expand(), {{1, 1, 8}, {5, 7, 8}}, {}, 0, 1},
            {"odd sizes, like of another rank", expand(), {{1, 3, 7}, {5, 2}}, {}, 0, 1},
            {"longer than a piece", expand(), {{1, 30, 177}, {2, 2}}, {}, 0, 1},
            {"one image", expand(), {{1, 3, 4}, {1, 3, 4}}, {}, 0, 1},
            {"a batch already", expand(), {{3, 2, 5}, {3, 1}}, {}, 0, 1},
        },
    .rejections = {{"another batch",
                    [] {
                      infer(expand(), {{2, 3}, {3, 3}});
                    },
                    "first dimension of 1, got (2, 3)"},
                   {"one input",
                    [] {
                      infer(expand(), {{1, 3}});
                    },
                    "2 input"},
                   {"empty",
                    [] {
                      infer(expand(), {{1, 0}, {3, 3}});
                    },
                    "non-empty"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
