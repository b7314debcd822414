#include <doctest/doctest.h>

#include <algorithm>

#include "engine/methods/deconvnet.h"
#include "engine/methods/gradient.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("deconvnet: the network that can be computed by hand") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = hand_network(device);
    CHECK(values_of(deconvnet(net, hand_input(), {.target = 0})) ==
          std::vector<double>{2, 3, 3, 1, 3, 5, 5, 2, 3, 5, 5, 2, 1, 2, 2, 1});
  }
}

TEST_CASE("deconvnet: without ReLUs it is the gradient") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{.relus = false}.graph(), device);
    CHECK(same_bits(deconvnet(net, x), gradient(net, x)));
    Network with = with_formula_weights(SmallNetwork{}.graph(), device);
    CHECK(relative_l2(deconvnet(with, x), gradient(with, x)) > 0.1);
  }
}

// Its ReLU forgets the forward pass, so the input matters through the switches alone.
TEST_CASE("deconvnet: the tape holds switches and no masks") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    std::vector<std::string> kept;
    const Tensor x = formula_input({1, 3, 14, 11});
    const Tensor map = deconvnet(net, x, {.target = 1, .probe = {.look = [&](Execution& e, int64_t) {
                                                         for (NodeId n : e.recorded())
                                                           kept.push_back(net.graph().node(n).name);
                                                       }}});
    CHECK(kept == std::vector<std::string>{"pool1"});
    const std::vector<double> v = values_of(map);
    CHECK(
        std::ranges::any_of(v, [](double a) { return a < 0; }));  // negative values at the input are allowed
  }
}

TEST_CASE("deconvnet: an image's map does not depend on the batch") {
  const Tensor x = formula_input({4, 3, 14, 11});
  for (const Device device : devices()) {
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor all = deconvnet(net, x);
    for (int64_t n = 0; n < 4; ++n) CHECK(same_bits(deconvnet(net, x.slice(n, n + 1)).row(0), all.row(n)));
  }
}

}  // namespace
}  // namespace loupe::test
