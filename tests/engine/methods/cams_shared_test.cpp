// Class activation maps of SqueezeNet 1.1 on photographs, against golden/methods/ in the shared folder.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "tests/support/networks.h"
#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

struct Case {
  std::string method;
  std::map<std::string, std::string> options = {};
  std::vector<std::string> tensors = {};  // empty: the method's name
};
const std::vector<Case> kCases{{"grad_cam_plus_plus"},
                               {"xgrad_cam"},
                               {"layer_cam"},
                               {"hires_cam"},
                               {"eigen_cam"},
                               {"eigen_cam_centred"},
                               {"ablation_cam", {}, {"ablation_cam", "ablation_cam.weight"}},
                               {"layer_grad_cam", {{"layer", "features.7"}}}};

void check(const std::string& photo, Device device, const Case& c, double tolerance) {
  const Explanation found = explain_shared(photo, device, c.method, c.options);
  for (const std::string& name : c.tensors.empty() ? std::vector<std::string>{c.method} : c.tensors) {
    CAPTURE(name);
    const double distance = shared_distance(photo, name, map_of(found, name));
    MESSAGE(photo, " ", device.str(), " ", name, ": ", distance);
    CHECK(distance < tolerance);
  }
}

TEST_CASE("class activation maps of photographs: in double") {
  for (const std::string photo : kPhotos)
    for (const Case& c : kCases) check(photo, Device::ref(), c, 1e-5);
}

TEST_CASE("class activation maps of photographs: on the cpu device") {
  for (const std::string photo : kPhotos)
    for (const Case& c : kCases) check(photo, Device::cpu(), c, 1e-3);
}

TEST_CASE("class activation maps of photographs: Score-CAM's 512 forward passes, in double of one") {
  const Case score_cam{"score_cam", {}, {"score_cam", "score_cam.score"}};
  check("jaguar", Device::ref(), score_cam, 1e-5);
  for (const std::string photo : kPhotos) check(photo, Device::cpu(), score_cam, 1e-3);
}

}  // namespace
}  // namespace loupe::test
