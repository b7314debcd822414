// As method_goldens_test, what takes long: the largest network, and integrated gradients of the larger ones,
// 50 steps in double, forward and back, and as much again for the ties.
#include <doctest/doctest.h>

#include "tests/support/method_goldens.h"

namespace loupe::test {
namespace {

TEST_CASE("methods meet PyTorch: vgg11_bn") { check_methods(formula_goldens("vgg11_bn")); }

TEST_CASE("integrated gradients meet PyTorch: resnet18") {
  check_integrated_gradients(formula_goldens("resnet18"));
}
TEST_CASE("integrated gradients meet PyTorch: vgg11_bn") {
  check_integrated_gradients(formula_goldens("vgg11_bn"));
}
TEST_CASE("integrated gradients meet PyTorch: vit_b_32") {
  check_integrated_gradients(formula_goldens("vit_b_32"));
}

}  // namespace
}  // namespace loupe::test
