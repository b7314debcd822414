#include "kernels/slice/slice.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite slice_suite{
    .cases =
        {
            {"the first token", slice({.begin = 0, .end = 1}), {{3, 9, 8}}},
            {"all but the first and the last", slice({.begin = 1, .end = -1}), {{3, 9, 5}}},
            {"a third of the last axis, whole vectors",
             slice({.axis = -1, .begin = 8, .end = 16}),
             {{3, 5, 24}}},
            {"a third of the last axis, odd", slice({.axis = 2, .begin = -5}), {{1, 3, 15}}},
            {"every third position", slice({.axis = 2, .begin = 1, .step = 3}), {{3, 4, 11}}},
            {"every second row of maps", slice({.axis = 2, .step = 2}), {{3, 17, 6, 8}}},
            {"a step beyond the end", slice({.axis = 1, .begin = 2, .step = 100}), {{1, 5, 3}}},
            {"masks: every third position", slice({.axis = 2, .begin = 1, .step = 3}), {{3, 4, 11}}, {Draw::switches}, 2},
            {"an end beyond the axis", slice({.axis = 1, .begin = 3, .end = 1000}), {{1, 5, 3}}},
            {"images", slice({.axis = 0, .begin = 1, .end = 3}), {{4, 5, 4}}, {}, 0, 1},
        },
    .rejections = {{"step 0", [] { slice({.step = 0}); }, "a step of at least 1, got 0"},
                   {"nothing left",
                    [] {
                      infer(slice({.begin = 4, .end = 2}), {{1, 5}});
                    },
                    "axis 1, 4:2 leaves nothing of (1, 5)"},
                   {"begin beyond the axis",
                    [] {
                      infer(slice({.begin = 5}), {{1, 5}});
                    },
                    "leaves nothing"},
                   {"no such axis",
                    [] {
                      infer(slice({.axis = 2}), {{1, 5}});
                    },
                    "has no axis 2"},
                   {"empty",
                    [] {
                      infer(slice({}), {{0, 5}});
                    },
                    "non-empty"},
                   {"two inputs",
                    [] {
                      infer(slice({}), {{1, 5}, {1, 5}});
                    },
                    "1 input"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
