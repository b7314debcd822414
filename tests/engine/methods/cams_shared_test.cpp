// Class activation maps of SqueezeNet 1.1 on photographs, against golden/methods/ in the shared folder.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/networks.h"
#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

const std::map<std::string, std::string> kNone, kMiddle{{"layer", "features.7"}};

// The maps of these names that the method of the first makes.
void check(const std::string& photo, Device device, const std::vector<std::string>& names, double tolerance,
           const std::map<std::string, std::string>& options = kNone) {
  const Explanation found = explain_shared(photo, device, names[0], options);
  for (const std::string& name : names) {
    const double distance = shared_distance(photo, name, map_of(found, name));
    MESSAGE(photo, " ", device.str(), " ", name, ": ", distance);
    CHECK_MESSAGE(distance < tolerance, name);
  }
}

TEST_CASE("class activation maps of photographs") {
  for (const Device device : {Device::ref(), Device::cpu()})
    for (const std::string& photo : photos()) {
      const double tolerance = device == Device::ref() ? 1e-5 : 1e-4;
      for (const std::string name :
           {"grad_cam_plus_plus", "xgrad_cam", "layer_cam", "hires_cam", "eigen_cam", "eigen_cam_centred"})
        check(photo, device, {name}, tolerance);
      check(photo, device, {"layer_grad_cam"}, tolerance, kMiddle);
    }
}

TEST_CASE("class activation maps of photographs: 512 channels left out") {
  for (const std::string& photo : photos())
    check(photo, Device::cpu(), {"ablation_cam", "ablation_cam.weight"}, 1e-3);
}

TEST_CASE("class activation maps of photographs: seen through 512 channels") {
  for (const std::string& photo : photos())
    check(photo, Device::cpu(), {"score_cam", "score_cam.score"}, 1e-4);
}

}  // namespace
}  // namespace loupe::test
