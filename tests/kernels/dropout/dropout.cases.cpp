#include "kernels/dropout/dropout.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite dropout_suite{
    .cases = {{"map, batch 3", dropout(0.5), {{3, 17, 3, 5}}},
              {"1×1 map, p 0", dropout(0), {{1, 16, 1, 1}}},
              {"vectors, p 1", dropout(1), {{3, 33}}},
              {"tokens", dropout(0.1), {{3, 5, 7}}}},
    .rejections = {{"p above 1", [] { dropout(1.5); }, "a probability in [0, 1], got 1.5"},
                   {"p not a number", [] { dropout(0.0 / 0.0); }, "a probability in [0, 1]"},
                   {"no element",
                    [] {
                      infer(dropout(0.5), {{1, 0}});
                    },
                    "non-empty"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
