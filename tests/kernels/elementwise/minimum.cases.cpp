#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite minimum_suite{
    .cases = binary_cases(minimum(), Draw::distinct),
    .rejections = binary_rejections(minimum()),
    .exact = true,
    .magnitude = magnitude_of_a_choice,
};

}  // namespace loupe::test
