// Integrated gradients of SqueezeNet 1.1 on photographs: 50 steps in double, forward and back, and as much
// again for the ties.
#include <doctest/doctest.h>

#include "tests/support/method_goldens.h"

namespace loupe::test {
namespace {

TEST_CASE("integrated gradients of squeezenet1_1: jaguar") {
  check_integrated_gradients(photo_goldens("jaguar"));
}
TEST_CASE("integrated gradients of squeezenet1_1: golden retriever") {
  check_integrated_gradients(photo_goldens("golden_retriever"));
}
TEST_CASE("integrated gradients of squeezenet1_1: gibbon") {
  check_integrated_gradients(photo_goldens("gibbon"));
}

}  // namespace
}  // namespace loupe::test
