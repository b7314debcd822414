#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite maximum_suite{
    .cases = binary_cases(maximum(), Draw::distinct),
    .rejections = binary_rejections(maximum()),
    .exact = true,
    .magnitude = magnitude_of_a_choice,
};

}  // namespace loupe::test
