#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite less_suite{
    .cases = binary_cases(less(), Draw::distinct),
    .rejections = binary_rejections(less()),
    .exact = true,
    .magnitude = magnitude_of_a_choice,
};

}  // namespace loupe::test
