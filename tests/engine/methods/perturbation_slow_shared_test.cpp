// The same in double, on ref: some 760 passes of SqueezeNet in textbook loops.
#include "tests/support/perturbation_goldens.h"

namespace loupe::test {

TEST_CASE("perturbation methods meet their goldens: ref") {
  check_perturbations("jaguar", Device::ref(), 1e-4);
}

}  // namespace loupe::test
