#include "kernels/relu/relu.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

// Exact: slope and x are float32, so their product fits a double, and rounds to float32 once on either side.
extern const OpSuite leaky_relu_suite{
    .cases = {{"slope 0.01, odd map, batch 3", leaky_relu(0.01), {{3, 17, 5, 3}}, {Draw::distinct}},
              {"slope 0.2, vectors", leaky_relu(0.2), {{1, 47}}, {Draw::distinct}},
              {"slope 0, 1×1 map", leaky_relu(0), {{3, 16, 1, 1}}, {Draw::distinct}},
              {"slope 2, several tasks", leaky_relu(2), {{1, 18, 23, 25}}, {Draw::distinct}}},
    .rejections = {{"no element",
                    [] {
                      infer(leaky_relu(0.1), {{1, 3, 0, 2}});
                    },
                    "leaky_relu takes a non-empty input"}},
    .exact = true,
};

}  // namespace loupe::test
