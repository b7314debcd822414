#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

extern const OpSuite keep_suite{
    .cases = binary_cases(keep(), Draw::distinct),
    .rejections = binary_rejections(keep()),
    .exact = true,
    .magnitude = magnitude_of_a_choice,
};

}  // namespace loupe::test
