// A whole network in the simulator: SqueezeNet 1.1 with formula weights and the six gradient and CAM methods,
// held against `ref` in double.
// ctest: LABELS big PROCESSORS 2
#include <doctest/doctest.h>

#include <utility>

#include "models/loupe.h"
#include "tests/support/device.h"
#include "tests/support/networks.h"
#include "tests/support/ties.h"

namespace loupe::test {
namespace {

using Signal = Tensor (*)(Network&, const Tensor&, const GradientOptions&);

constexpr int64_t kSide = 64;
// Relative L2 distances from ref: with its masks and switches, and where ties may fall otherwise (ties.h).
constexpr double kTight = 1e-4, kLoose = 0.1;

ImageModel squeezenet(Device device) {
  return models::load("squeezenet1_1", "formula", device, {.height = kSide, .width = kSide});
}

struct Both {
  ImageModel ref = squeezenet(Device::ref()), sim = squeezenet(Device::sim());
  Tensor x = formula_input({1, 3, kSide, kSide});
  int64_t target = Target(top1).classes(ref.logits(x))[0];
  Tapes tapes{ref, sim};
};
Both both() {
  skip_without(Backend::sim);
  return {};
}

void check(const std::string& what, const Tensor& ours, const Tensor& refs, double bound) {
  const double error = relative_l2(ours, refs);
  MESSAGE(what << ": " << error << " (bound " << bound << ")");
  CHECK(error <= bound);
}

void check(const TieReport& ties) {
  MESSAGE(ties.str());
  CHECK(ties.failed == 0);
  CHECK(ties.compared > 0);
}

TEST_CASE("squeezenet1_1 in the simulator: logits and class activation maps") {
  Both on = both();
  CHECK(Target(top1).classes(on.sim.logits(on.x))[0] == on.target);
  check("logits", on.sim.logits(on.x), on.ref.logits(on.x), kTight);
  check("cam", cam(on.sim, on.x), cam(on.ref, on.x), kTight);
  check("grad_cam", grad_cam(on.sim, on.x), grad_cam(on.ref, on.x), kTight);
}

TEST_CASE("squeezenet1_1 in the simulator: gradient, guided_backprop, deconvnet") {
  Both on = both();
  Probe probe = on.tapes.record_and_account();  // one forward pass serves all three
  for (const auto& [name, signal] : {std::pair<std::string, Signal>{"gradient", gradient},
                                     {"guided_backprop", guided_backprop},
                                     {"deconvnet", deconvnet}}) {
    const GradientOptions options{.target = on.target};
    const Tensor wanted = signal(on.ref, on.x, {.target = on.target, .probe = std::exchange(probe, {})});
    check(name + " with ref's masks and switches",
          signal(on.sim, on.x, {.target = on.target, .probe = on.tapes.inject()}), wanted, kTight);
    check(name + " on its own", signal(on.sim, on.x, options), wanted, kLoose);
  }
  check(on.tapes.report());
}

TEST_CASE("squeezenet1_1 in the simulator: integrated_gradients") {
  Both on = both();
  const auto run = [&](Network& net, Probe probe) {
    return integrated_gradients(net, on.x, {.target = on.target, .probe = std::move(probe)}).attribution;
  };
  const Tensor wanted = run(on.ref, on.tapes.record_and_account());
  check("with ref's masks and switches", run(on.sim, on.tapes.inject()), wanted, kTight);
  check("on its own", run(on.sim, {}), wanted, kLoose);
  check(on.tapes.report());
}

TEST_CASE("squeezenet1_1 in the simulator: no bit depends on the order of threads, nor on the batch") {
  Both on = both();
  const auto seed = [](int n) { DeviceModule::of(Backend::sim).configure("seed", std::to_string(n)); };
  const Tensor two = formula_input({2, 3, kSide, kSide});
  const Tensor together = gradient(on.sim, two, {.target = on.target});
  for (const int n : {0, 1}) {
    seed(n + 2);
    CHECK(same_bits(gradient(on.sim, two.slice(n, n + 1), {.target = on.target}), together.slice(n, n + 1)));
  }
  seed(1);
}

}  // namespace
}  // namespace loupe::test
