#include "tests/kernels/elementwise/binary_cases.h"

namespace loupe::test {

// Exact: a quotient rounded to double and then to float32 is the float32 quotient (double has more than 2·24
// + 1 bits). On absolute values, both vjps are sums of the magnitudes of their terms.
extern const OpSuite div_suite{
    .cases = binary_cases(div(), Draw::positive),
    .rejections = binary_rejections(div()),
    .exact = true,
    .magnitude = [](const OpCase&, Direction, const Operands&) { return std::vector<double>{}; },
};

}  // namespace loupe::test
