#include "kernels/flatten/flatten.h"

#include "tests/support/op_suite.h"

namespace loupe::test {

extern const OpSuite flatten_suite{
    .cases = {{"odd map, batch 3", flatten(), {{3, 17, 3, 5}}},
              {"whole blocks", flatten(), {{1, 32, 2, 3}}},
              {"fewer channels than a block", flatten(), {{3, 3, 5, 7}}},
              {"1×1 map: a view in either layout", flatten(), {{3, 21, 1, 1}}},
              {"vectors stay", flatten(), {{3, 33}}},
              {"tokens", flatten(), {{3, 5, 7}}},
              {"one number an image", flatten(), {{3}}},
              {"rank 5", flatten(), {{2, 3, 1, 5, 2}}},
              {"one element", flatten(), {{1, 1, 1, 1}}}},
    .rejections = {{"a single number", [] { infer(flatten(), {Shape()}); }, "a single number"},
                   {"no element",
                    [] {
                      infer(flatten(), {{1, 2, 0, 3}});
                    },
                    "non-empty"},
                   {"two inputs",
                    [] {
                      infer(flatten(), {{1, 2}, {1, 2}});
                    },
                    "1 input(s), got 2"}},
    .linear = true,
    .exact = true,
};

}  // namespace loupe::test
