#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite equal_suite{
    .cases = binary_cases(equal(), Draw::distinct),
    .rejections = binary_rejections(equal()),
    .exact = true,
    .magnitude = magnitude_of_a_choice,
};

}  // namespace loupe::test
