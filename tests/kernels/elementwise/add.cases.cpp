#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

// Exact: a sum of two float32 numbers rounded from double is the float32 sum (double has more than 2·24 + 1
// bits).
extern const OpSuite add_suite{
    .cases = binary_cases(add(), Draw::uniform, true), .rejections = binary_rejections(add()), .linear = true, .exact = true};

}  // namespace loupe::test
