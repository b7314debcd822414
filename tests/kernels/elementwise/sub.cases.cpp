#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite sub_suite{
    .cases = binary_cases(sub()), .rejections = binary_rejections(sub()), .linear = true, .exact = true};

}  // namespace loupe::test
