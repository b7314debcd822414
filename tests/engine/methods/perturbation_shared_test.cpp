// RISE, feature ablation, KernelSHAP and LIME on SqueezeNet 1.1 with its ImageNet weights, on photographs, against maps
// computed in double (../shared/oracle/make_method_golden.py).
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/networks.h"
#include "tests/support/perturbation_goldens.h"

namespace loupe::test {
namespace {

TEST_CASE("perturbation methods meet their goldens: cpu") {
  for (const std::string& photo : photos()) check_perturbations(photo, Device::cpu(), 1e-3);
}

TEST_CASE("Shapley value sampling of a photograph adds up") {
  const Explanation found = explain_shared("jaguar", Device::cpu(), "shapley_value_sampling",
                                           {{"samples", "4"}, {"antithetic", "yes"}});
  const Tensor& map = map_of(found, "shapley_value_sampling");
  REQUIRE(map.shape() == Shape{7, 7});
  double sum = 0;
  for (const double v : values_of(map)) sum += v;
  const Tensor score = shared_tensor("jaguar", "score");
  CHECK(sum == doctest::Approx(score.item(0) - score.item(1)).epsilon(1e-4));
}

}  // namespace
}  // namespace loupe::test
