// Integrated gradients of the photographs against the maps of the shared folder.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

using Chosen = std::map<std::string, std::string>;

double distance(const std::string& photo, Device device, const std::string& golden, const Chosen& options,
                const std::string& method = "integrated_gradients") {
  const Explanation found = explain_shared(photo, device, method, options);
  const double d = shared_distance(photo, golden, map_of(found, method));
  std::string checks;
  for (const Check& c : found.checks) checks += ", " + c.name + " " + std::to_string(c.value);
  MESSAGE(golden << " of " << photo << " on " << device.str() << ": " << d << checks);
  CHECK(found.unmet.empty());
  return d;
}

TEST_CASE("1000 intervals of the trapezoid") {
  const Chosen options{{"rule", "trapezoid"}, {"steps", "1000"}};
  CHECK(distance("jaguar", Device::cpu(), "integrated_gradients_1000", options) <= 1e-3);
}
TEST_CASE("1000 intervals of the trapezoid from black") {
  if (!all_photos()) return;  // half a minute
  const Chosen options{{"rule", "trapezoid"}, {"steps", "1000"}, {"baseline", "black"}};
  CHECK(distance("jaguar", Device::cpu(), "integrated_gradients_1000_black", options) <= 1e-3);
}

TEST_CASE("adaptive is within 1 % of the integral") {
  for (const std::string& photo : photos())
    CHECK(distance(photo, Device::cpu(), "integrated_gradients_fine", {{"rule", "adaptive"}}) <= 0.01);
}

TEST_CASE("of a layer") {
  const Chosen options{{"layer", "features.5"}};
  CHECK(distance("jaguar", Device::ref(), "layer_integrated_gradients", options,
                 "layer_integrated_gradients") <= 1e-4);
  for (const std::string& photo : photos())
    CHECK(distance(photo, Device::cpu(), "layer_integrated_gradients", options,
                   "layer_integrated_gradients") <= 1e-3);
}

}  // namespace
}  // namespace loupe::test
