#include "engine/methods/input_x_gradient.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("input_x_gradient: the network that can be computed by hand") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = hand_network(device);
    CHECK(values_of(input_x_gradient(net, hand_input(), {.target = 0})) ==
          std::vector<double>{0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 0, 0, 0});
  }
}

// Euler: f(x) = Σ x·∂f/∂x where f(t·x) = t·f(x), so without biases the shares make up the score.
TEST_CASE("input_x_gradient: shares of a network without biases sum to the score") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{.biases = false}.graph(), device);
    const Tensor map = input_x_gradient(net, x, {.target = 3}), logits = net.logits(x);
    const Tensor magnitudes = path_magnitudes(net.graph(), x);
    const double unit = device.backend == Backend::ref ? 0x1p-53 : 0x1p-24;
    for (int64_t n = 0; n < 3; ++n) {
      double sum = 0;
      for (const double v : values_of(map.row(n))) sum += v;
      const double bound = (SmallNetwork::kUp + SmallNetwork::kDown) * unit * magnitudes.item(n * 5 + 3);
      CHECK(std::abs(sum - logits.item(n * 5 + 3)) <= bound);
      CHECK(std::abs(sum) > 5 * bound);
    }
  }
}

}  // namespace
}  // namespace loupe::test
