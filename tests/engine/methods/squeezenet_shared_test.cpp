// Every method on SqueezeNet 1.1 with its ImageNet weights, on photographs, against maps by PyTorch and
// Captum.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/method_goldens.h"

namespace loupe::test {
namespace {

TEST_CASE("squeezenet1_1 on photographs: jaguar") { check_methods(photo_goldens("jaguar")); }
TEST_CASE("squeezenet1_1 on photographs: golden retriever") {
  check_methods(photo_goldens("golden_retriever"));
}
TEST_CASE("squeezenet1_1 on photographs: gibbon") { check_methods(photo_goldens("gibbon")); }

}  // namespace
}  // namespace loupe::test
