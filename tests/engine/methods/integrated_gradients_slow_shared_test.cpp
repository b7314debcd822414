// A thousand gradients of a photograph in double.
#include <doctest/doctest.h>

#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

TEST_CASE("1000 intervals of the trapezoid, in double") {
  for (const bool black : {false, true}) {
    const std::string golden = std::string("integrated_gradients_1000") + (black ? "_black" : "");
    const Explanation found =
        explain_shared("jaguar", Device::ref(), "integrated_gradients",
                       {{"rule", "trapezoid"}, {"steps", "1000"}, {"baseline", black ? "black" : "zero"}});
    const double d = shared_distance("jaguar", golden, map_of(found, "integrated_gradients"));
    MESSAGE(golden << ": " << d);
    CHECK(d <= 1e-4);
    CHECK(found.checks.at(0).value ==
          doctest::Approx(shared_tensor("jaguar", golden + ".residual").item(0)).epsilon(1e-3));
  }
}

}  // namespace
}  // namespace loupe::test
