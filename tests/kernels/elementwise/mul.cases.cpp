#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

// Exact: the product of two float32 numbers fits a double.
extern const OpSuite mul_suite{
    .cases = binary_cases(mul(), Draw::uniform, true), .rejections = binary_rejections(mul()), .multilinear = true, .exact = true};

}  // namespace loupe::test
