#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite less_or_equal_suite{
    .cases = binary_cases(less_or_equal(), Draw::distinct),
    .rejections = binary_rejections(less_or_equal()),
    .exact = true,
    .magnitude = magnitude_of_a_choice,
};

}  // namespace loupe::test
