#include "engine/methods/gradient.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("gradient: the network that can be computed by hand") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = hand_network(device);
    CHECK(net.logits(hand_input()).item() == 54);
    CHECK(values_of(gradient(net, hand_input(), {.target = 0})) ==
          std::vector<double>{0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0});
  }
}

// The masks and switches of one image.
std::vector<double> tape_of(Network& net, const Tensor& x) {
  std::vector<double> all;
  gradient(net, x, {.target = 2, .probe = {.look = [&](Execution& e, int64_t) {
                                   for (NodeId n : e.recorded())
                                     for (double v : values_of(e.record(n))) all.push_back(v);
                                 }}});
  return all;
}

TEST_CASE("gradient: central differences in double") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Tensor x = formula_input({1, 3, 14, 11}).to(Dtype::f64),
               direction = formula_input({2, 3, 14, 11}).slice(1, 2).to(Dtype::f64);
  const Tensor g = gradient(net, x, {.target = 2});
  const double h = 1e-6;
  const Tensor up = x.clone(), down = x.clone();
  double slope = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    up.values<double>()[i] += h * direction.item(i);
    down.values<double>()[i] -= h * direction.item(i);
    slope += g.item(i) * direction.item(i);
  }
  // With the same masks and switches on both sides the network is linear between them, so only rounding is
  // left.
  REQUIRE(tape_of(net, up) == tape_of(net, down));
  const double scores = SmallNetwork::kUp * 0x1p-53 * path_magnitudes(net.graph(), x).item(2);
  const double slopes = SmallNetwork::kDown * 0x1p-53 * path_magnitudes(net.graph(), direction).item(2);
  const double difference = (net.logits(up).item(2) - net.logits(down).item(2)) / (2 * h);
  CHECK(std::abs(difference - slope) <= 1.01 * scores / h + slopes);
  CHECK(std::abs(slope) > 1e-3);
}

TEST_CASE("gradient: an image's map does not depend on the batch or on memory") {
  const Tensor x = formula_input({5, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor all = gradient(net, x);
    for (int64_t n = 0; n < 5; ++n) CHECK(same_bits(gradient(net, x.slice(n, n + 1)).row(0), all.row(n)));
    int runs = 0;
    for (const int64_t limit : memory_limits(device)) {
      net.memory_limit = limit;
      try {
        const Tensor again = gradient(net, x);
        CHECK(same_bits(again, all));
        ++runs;
      } catch (const Error& e) {  // one image alone needs more
        CHECK(std::string(e.what()).find("one image") != std::string::npos);
        CHECK(runs == 0);
      }
    }
    CHECK(runs >= 3);
  }
}

TEST_CASE("gradient: top1, one class for all, one for each") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({3, 3, 14, 11}), logits = net.logits(x);
  std::vector<int64_t> best;
  for (int64_t n = 0; n < 3; ++n) {
    int64_t cls = 0;
    for (int64_t c = 0; c < 5; ++c)
      if (logits.item(n * 5 + c) > logits.item(n * 5 + cls)) cls = c;
    best.push_back(cls);
  }
  CHECK(same_bits(gradient(net, x, {.target = top1}), gradient(net, x, {.target = best})));
  const Tensor mixed = gradient(net, x, {.target = std::vector<int64_t>{4, 0, 3}});
  CHECK(same_bits(mixed.row(0), gradient(net, x, {.target = 4}).row(0)));
  CHECK(same_bits(mixed.row(2), gradient(net, x, {.target = 3}).row(2)));
  CHECK_FALSE(same_bits(mixed.row(0), gradient(net, x, {.target = 0}).row(0)));
}

TEST_CASE("gradient: a question that does not fit") {
  Network net = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({2, 3, 14, 11});
  CHECK(usage_error([&] { gradient(net, x, {.target = 5}); }) ==
        "there is no class 5: the network has 5, counted from 0");
  CHECK(usage_error([&] { gradient(net, x, {.target = -1}); }).starts_with("there is no class -1"));
  CHECK(usage_error([&] { gradient(net, x, {.target = std::vector<int64_t>{1}}); }) ==
        "the target names 1 classes for 2 images: give one class for all, or one for each");
  CHECK(usage_error([&] {
          gradient(net, formula_input({1, 4, 14, 12}));
        }) == "the test network takes images like (N, 3, 14, 11), got (1, 4, 14, 12)");
  CHECK(usage_error([&] { gradient(net, formula_input({1, 3, 14, 2})); }).starts_with("node 'pool1': "));
  CHECK(usage_error([&] { gradient(net, {}); }).ends_with("got none"));
}

TEST_CASE("gradient: another run's masks and switches can be put on the tape") {
  Network ref = with_formula_weights(SmallNetwork{}.graph(), Device::ref()),
          cpu = with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({2, 3, 14, 11}), first = x.slice(0, 1), second = x.slice(1, 2);
  std::map<NodeId, Tensor> records;
  const Tensor wanted = gradient(ref, second, {.target = 1, .probe = {.look = [&](Execution& e, int64_t) {
                                                              for (NodeId n : e.recorded())
                                                                records[n] = e.record(n);
                                                            }}});
  CHECK(records.size() == 4);
  // The gradient depends on the input through masks and switches alone.
  const Tensor swapped = gradient(cpu, first, {.target = 1, .probe = {.look = [&](Execution& e, int64_t) {
                                                              for (NodeId n : e.recorded())
                                                                e.set_record(n, records.at(n));
                                                            }}});
  CHECK(relative_l2(swapped, wanted) < 1e-5);
  CHECK(relative_l2(gradient(cpu, first, {.target = 1}), wanted) > 0.1);
}

}  // namespace
}  // namespace loupe::test
