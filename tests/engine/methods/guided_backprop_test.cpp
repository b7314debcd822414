#include <doctest/doctest.h>

#include "engine/methods/deconvnet.h"
#include "engine/methods/gradient.h"
#include "engine/methods/guided_backprop.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("guided_backprop: the network that can be computed by hand") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = hand_network(device);
    CHECK(values_of(guided_backprop(net, hand_input(), {.target = 0})) ==
          std::vector<double>{0, 1, 1, 1, 1, 3, 3, 2, 1, 3, 3, 2, 1, 2, 2, 1});
  }
}

TEST_CASE("guided_backprop: without ReLUs it is the gradient") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{.relus = false}.graph(), device);
    CHECK(same_bits(guided_backprop(net, x), gradient(net, x)));
    Network with = with_formula_weights(SmallNetwork{}.graph(), device);
    CHECK(relative_l2(guided_backprop(with, x), gradient(with, x)) > 0.1);
    CHECK(relative_l2(guided_backprop(with, x), deconvnet(with, x)) > 0.1);
  }
}

TEST_CASE("guided_backprop: an image's map does not depend on the batch") {
  const Tensor x = formula_input({4, 3, 14, 11});
  for (const Device device : devices()) {
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor all = guided_backprop(net, x);
    for (int64_t n = 0; n < 4; ++n)
      CHECK(same_bits(guided_backprop(net, x.slice(n, n + 1)).row(0), all.row(n)));
  }
}

}  // namespace
}  // namespace loupe::test
