// SmoothGrad, its relatives and GradientSHAP against the maps of the shared folder.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "engine/methods/baseline.h"
#include "engine/methods/gradient_shap.h"
#include "engine/methods/smooth_grad.h"
#include "tests/support/shared_maps.h"
#include "tests/support/ties.h"

namespace loupe::test {
namespace {

// As `loupe explain` calls it: on ref, and on cpu, where some units that lie within float32's rounding of a kink are on
// its other side in some samples. How far that carries is seen by what follows.
void check(const std::string& photo, const std::string& method, Device device, double bound) {
  const double distance =
      shared_distance(photo, method, map_of(explain_shared(photo, device, method), method));
  MESSAGE(method << " of " << photo << " on " << device.str() << ": " << distance);
  CHECK(distance <= bound);
}

TEST_CASE("sampled gradients of the jaguar, as the goldens by their defaults") {
  for (const char* method : {"smooth_grad", "smooth_grad_squared", "var_grad", "gradient_shap"}) {
    if (all_photos()) check("jaguar", method, Device::ref(), 1e-3);
    check("jaguar", method, Device::cpu(), 1e-2);
  }
}

// With ref's masks and switches on its tape cpu's map is the golden, and every bit that differs between the two is
// within rounding of a tie.
template <typename Run>
void check_ties(const std::string& photo, const std::string& method, const Run& run) {
  Network &ref = shared_squeezenet(Device::ref()), &fast = shared_squeezenet(Device::cpu());
  ref.memory_limit = int64_t{1} << 29;
  Tapes tapes(ref, fast);
  const double exact = shared_distance(photo, method, run(ref, tapes.record_and_account()).row(0));
  MESSAGE(method << " of " << photo << " on ref: " << exact);
  CHECK(exact <= 1e-3);
  const double distance = shared_distance(photo, method, run(fast, tapes.inject()).row(0));
  MESSAGE(method << " of " << photo << " on cpu with ref's masks and switches: " << distance << "; "
                 << tapes.report().str());
  CHECK(distance <= 1e-3);
  CHECK(tapes.report().failed == 0);
}

TEST_CASE("sampled gradients on cpu: what differs are ties") {
  for (const std::string& photo : photos()) {
    const Tensor x = shared_input(photo);
    const Target target = shared_class(photo);
    check(photo, "smooth_grad", Device::cpu(), 1e-2);
    check(photo, "gradient_shap", Device::cpu(), 1e-2);
    check_ties(photo, "smooth_grad", [&](Network& net, Probe probe) {
      return smooth_grad(net, x, {.target = target, .probe = std::move(probe)});
    });
    std::vector<Tensor> sets;
    for (const Baseline& b :
         baselines(shared_squeezenet(Device::cpu()), x, "zero,black,white,noise", "the test's baselines"))
      sets.push_back(b.values);
    check_ties(photo, "gradient_shap", [&](Network& net, Probe probe) {
      return gradient_shap(net, x, {.target = target, .baselines = sets, .probe = std::move(probe)})
          .attribution;
    });
  }
}

}  // namespace
}  // namespace loupe::test
