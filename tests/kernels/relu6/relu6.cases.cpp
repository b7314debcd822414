#include "kernels/relu/relu.h"
#include "tests/support/op_suite.h"

namespace loupe::test {

// Distinct draws span [-8, 8), so both kinks lie inside; relu's own cases hold the kinks themselves and NaN.
extern const OpSuite relu6_suite{
    .cases = {{"odd map, 19 channels, batch 3", relu6(), {{3, 19, 3, 5}}, {Draw::distinct}},
              {"1×1 map", relu6(), {{1, 32, 1, 1}}, {Draw::distinct}},
              {"vectors", relu6(), {{3, 200}}, {Draw::distinct}},
              {"several tasks", relu6(), {{1, 17, 23, 25}}, {Draw::distinct}}},
    .rejections = {{"no element",
                    [] {
                      infer(relu6(), {{0, 3}});
                    },
                    "relu6 takes a non-empty input, got (0, 3)"},
                   {"no input", [] { infer(relu6(), {}); }, "relu6 takes 1 input(s), got 0"}},
    .exact = true,
};

}  // namespace loupe::test
