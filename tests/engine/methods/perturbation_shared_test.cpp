// RISE, feature ablation, KernelSHAP and LIME on SqueezeNet 1.1 with its ImageNet weights, on photographs, against maps
// computed in double (../shared/oracle/make_method_golden.py).
// ctest: LABELS big
#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/networks.h"
#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

void check(const std::string& photo, Device device, double bound) {
  CAPTURE(photo);
  CAPTURE(device.str());
  const auto compare = [&](const Explanation& found, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      const double distance = shared_distance(photo, name, map_of(found, name));
      MESSAGE(photo, " ", device.str(), " ", std::string(name), ": ", distance);
      CHECK(distance <= bound);
    }
  };
  compare(explain_shared(photo, device, "rise", {{"samples", "200"}}),
          {"rise", "rise.probability", "rise.logit"});
  compare(explain_shared(photo, device, "feature_ablation", {{"grid", "7"}}), {"feature_ablation"});
  compare(explain_shared(photo, device, "kernel_shap"), {"kernel_shap", "kernel_shap.value"});
  compare(explain_shared(photo, device, "lime"), {"lime", "lime.value", "lime.intercept"});
}

TEST_CASE("perturbation methods meet their goldens: ref") { check("jaguar", Device::ref(), 1e-4); }

TEST_CASE("perturbation methods meet their goldens: cpu") {
  for (const char* photo : kPhotos) check(photo, Device::cpu(), 1e-3);
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
