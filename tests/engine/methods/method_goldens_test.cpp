// Every method on whole architectures with formula weights, against maps by PyTorch in double that Captum
// confirmed (tests/oracle/make_method_goldens.py).
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/method_goldens.h"

namespace loupe::test {
namespace {

TEST_CASE("methods meet PyTorch: squeezenet1_1") { check_methods(formula_goldens("squeezenet1_1")); }
TEST_CASE("methods meet PyTorch: resnet18") { check_methods(formula_goldens("resnet18")); }
TEST_CASE("methods meet PyTorch: mobilenet_v2") { check_methods(formula_goldens("mobilenet_v2")); }
TEST_CASE("methods meet PyTorch: mobilenet_v3_small") {
  check_methods(formula_goldens("mobilenet_v3_small"));
}
TEST_CASE("methods meet PyTorch: vit_b_32") { check_methods(formula_goldens("vit_b_32")); }

TEST_CASE("integrated gradients meet PyTorch: squeezenet1_1") {
  check_integrated_gradients(formula_goldens("squeezenet1_1"));
}
TEST_CASE("integrated gradients meet PyTorch: mobilenet_v2") {
  check_integrated_gradients(formula_goldens("mobilenet_v2"));
}
TEST_CASE("integrated gradients meet PyTorch: mobilenet_v3_small") {
  check_integrated_gradients(formula_goldens("mobilenet_v3_small"));
}

}  // namespace
}  // namespace loupe::test
