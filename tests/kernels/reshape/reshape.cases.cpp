#include "kernels/reshape/reshape.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite reshape_suite{
    .cases =
        {
            {"maps to rows", reshape({0, -1}), {{3, 5, 2, 3}}},
            {"heads apart", reshape({0, 0, 4, -1}), {{3, 7, 32}}},
            {"channels in groups", reshape({0, 2, -1, 0, 0}), {{3, 6, 5, 4}}},
            {"groups into channels", reshape({0, -1, 0, 0}), {{3, 2, 3, 5, 4}}},
            {"every size given", reshape({0, 6, 1, 2}), {{1, 3, 4}}},
            {"into the batch", reshape({-1, 3}), {{4, 6}}, {}, 0, 1},
        },
    .rejections = {{"no size", [] { reshape({}); }, "1 to 6 sizes"},
                   {"seven sizes",
                    [] {
                      reshape({1, 1, 1, 1, 1, 1, 1});
                    },
                    "1 to 6 sizes"},
                   {"two −1",
                    [] {
                      reshape({-1, 2, -1});
                    },
                    "−1 at most once, got (-1, 2, -1)"},
                   {"a size of −2",
                    [] {
                      reshape({0, -2});
                    },
                    "sizes from 0 on"},
                   {"too few elements",
                    [] {
                      infer(reshape({0, 7}), {{2, 6}});
                    },
                    "does not fit the 12 elements of (2, 6)"},
                   {"too many elements",
                    [] {
                      infer(reshape({0, 3}), {{2, 6}});
                    },
                    "does not fit"},
                   {"nothing to divide by −1",
                    [] {
                      infer(reshape({4, 3, 2, -1}), {{2, 6}});
                    },
                    "does not fit"},
                   {"a 0 beyond the input",
                    [] {
                      infer(reshape({2, 6, 0}), {{2, 6}});
                    },
                    "does not fit"},
                   {"a 0 before the input",
                    [] {
                      infer(reshape({-1, 0, 0, 0}), {{2, 6}});
                    },
                    "does not fit"},
                   {"empty",
                    [] {
                      infer(reshape({0, -1}), {{0, 6}});
                    },
                    "non-empty"},
                   {"two inputs",
                    [] {
                      infer(reshape({-1}), {{2}, {2}});
                    },
                    "1 input"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
