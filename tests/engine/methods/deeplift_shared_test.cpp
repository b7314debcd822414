// DeepLIFT on photographs, by SqueezeNet 1.1, against maps by PyTorch in double.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/networks.h"
#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

struct Case {
  std::string golden, method;
  std::map<std::string, std::string> options = {};
};
const Case kCases[] = {{"deeplift", "deeplift"},
                       {"deeplift_black", "deeplift", {{"baseline", "black"}}},
                       {"deeplift_shap", "deeplift_shap"}};

void check(const std::string& photo, Device device, double tolerance) {
  for (const Case& c : kCases) {
    const Explanation found = explain_shared(photo, device, c.method, c.options);
    const double distance = shared_distance(photo, c.golden, map_of(found, c.method));
    MESSAGE(photo << ", " << device.str() << ", " << c.golden << ": " << distance << ", completeness "
                  << found.checks.at(0).value);
    CHECK(distance < tolerance);
    CHECK(std::abs(found.checks.at(0).value) < (device.backend == Backend::ref ? 1e-9 : 1e-3));
  }
}

TEST_CASE("deeplift of photographs: ref") {
  for (const std::string& photo : photos()) check(photo, Device::ref(), 1e-4);
}
TEST_CASE("deeplift of photographs: cpu") {
  for (const std::string& photo : photos()) check(photo, Device::cpu(), 1e-3);
}
TEST_CASE("deeplift of photographs: reveal_cancel sums to the difference of the scores") {
  for (const std::string& photo : photos()) {
    const Explanation found = explain_shared(photo, Device::ref(), "deeplift", {{"rule", "reveal_cancel"}});
    MESSAGE(photo << ": " << found.checks.at(0).value);
    CHECK(std::abs(found.checks.at(0).value) < 1e-9);
  }
}

}  // namespace
}  // namespace loupe::test
