// Score-CAM and Ablation-CAM of photographs in double, against golden/methods/ in the shared folder: 512 forward passes
// of textbook loops each, or of the last layers.
#include <doctest/doctest.h>

#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

TEST_CASE("class activation maps of photographs, in double: 512 channels left out, and seen through") {
  for (const auto& names : {std::vector<std::string>{"ablation_cam", "ablation_cam.weight"},
                            std::vector<std::string>{"score_cam", "score_cam.score"}}) {
    const Explanation found = explain_shared("jaguar", Device::ref(), names[0]);
    for (const std::string& name : names) {
      const double distance = shared_distance("jaguar", name, map_of(found, name));
      MESSAGE(name, ": ", distance);
      CHECK_MESSAGE(distance < 1e-5, name);
    }
  }
}

}  // namespace
}  // namespace loupe::test
