// SmoothGrad, its relatives and GradientSHAP against the maps of the shared folder.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

// Of cpu a few of the units that lie within float32's rounding of a kink are on its other side in some samples.
void check(const std::string& method, double on_ref, double on_cpu) {
  for (const Device device : {Device::ref(), Device::cpu()}) {
    const double distance =
        shared_distance("jaguar", method, map_of(explain_shared("jaguar", device, method), method));
    MESSAGE(method << " on " << device.str() << ": " << distance);
    CHECK(distance <= (device == Device::ref() ? on_ref : on_cpu));
  }
}

TEST_CASE("smooth_grad, as the golden by its defaults") { check("smooth_grad", 1e-3, 1e-3); }
TEST_CASE("smooth_grad_squared") { check("smooth_grad_squared", 1e-3, 1e-3); }
TEST_CASE("var_grad") { check("var_grad", 1e-3, 1e-3); }
TEST_CASE("gradient_shap") { check("gradient_shap", 1e-3, 1e-3); }

TEST_CASE("the other photographs, on cpu") {
  for (const char* photo : {"golden_retriever", "gibbon"})
    for (const char* method : {"smooth_grad", "gradient_shap"}) {
      const double distance =
          shared_distance(photo, method, map_of(explain_shared(photo, Device::cpu(), method), method));
      MESSAGE(method << " of " << photo << ": " << distance);
      CHECK(distance <= 1e-3);
    }
}

}  // namespace
}  // namespace loupe::test
