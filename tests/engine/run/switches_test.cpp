// Switches: where max pools took their maxima, looked at, changed, and put under another picture's way back.
#include <doctest/doctest.h>

#include "engine/methods/deconvnet.h"
#include "engine/methods/gradient.h"
#include "engine/run/apply.h"
#include "engine/run/switches.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/max_unpool2d/max_unpool2d.h"
#include "models/io/switches.h"
#include "tests/support/device.h"
#include "tests/support/networks.h"
#include "tests/support/pictures.h"

namespace loupe::test {
namespace {

// Numbers that tell cells apart, another row of them for each seed.
Tensor numbers(Shape shape, int seed) {
  const Tensor t(Dtype::f64, shape);
  const auto v = t.values<double>();
  for (size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<double>(
               (37 * i + 11 * static_cast<size_t>(seed) + i * i * static_cast<size_t>(seed + 3)) % 101) /
               50 -
           1;
  return t;
}

// conv, ReLU, pool 3×3 stride 2, conv, ReLU, pool 2×2, linear; inputs (N, 3, 12, 12).
Network pools(Device device) {
  Graph g;
  NodeId n = g.input("input", {1, 3, 12, 12});
  n = g.add("conv1", conv2d({.out_channels = 4, .kernel = 3, .padding = 1}), {n});
  n = g.add("relu1", relu(), {n});
  n = g.add("pool1", max_pool2d({.kernel = 3, .stride = 2, .padding = 1}), {n});
  n = g.add("conv2", conv2d({.out_channels = 5, .kernel = 3, .padding = 1}), {n});
  n = g.add("relu2", relu(), {n});
  n = g.add("pool2", max_pool2d({.kernel = 2}), {n});
  n = g.add("flatten", flatten(), {n});
  n = g.add("fc", linear({.out_features = 3}), {n});
  std::map<std::string, Tensor> weights;
  int seed = 1;
  for (const NodeId p : g.parameters()) weights.emplace(g.node(p).name, numbers(g.node(p).shape(), seed++));
  return {"pools", std::move(g), std::move(weights), device};
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double most = 0;
  for (int64_t i = 0; i < a.numel(); ++i) most = std::max(most, std::abs(a.item(i) - b.item(i)));
  return most;
}

bool equal(const Tensor& a, const Tensor& b) { return largest_difference(a, b) == 0; }

}  // namespace

TEST_CASE("switches say which cell of each window was the largest") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = pools(device);
    const Tensor x = numbers({2, 3, 12, 12}, 1);
    const NodeId before = net.graph().find("relu1"), after = net.graph().find("pool1");
    Execution& pass = net.execution(x.shape(), {.values = {before, after}});
    pass.forward(x);
    const Tensor in = pass.value(before), out = pass.value(after);
    const Switches all = switches_of(net, x);
    REQUIRE(all.size() == 2);
    const Tensor& s = all.at("pool1");
    REQUIRE(s.shape() == Shape({2, 4, 6, 6}));
    REQUIRE(s.dtype() == Dtype::u8);
    for (int64_t i = 0; i < s.numel(); ++i) {
      const int64_t cell = static_cast<int64_t>(s.item(i)), y = 2 * (i / 6 % 6) - 1 + cell / 3,
                    xx = 2 * (i % 6) - 1 + cell % 3;
      REQUIRE(y >= 0);
      REQUIRE(xx >= 0);
      CHECK(in.item((i / 36 * 12 + y) * 12 + xx) == out.item(i));
    }
  }
}

TEST_CASE(
    "a deconvnet with another picture's switches is that picture's deconvnet, bit for bit; a gradient is "
    "not") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = pools(device);
    const Tensor a = numbers({1, 3, 12, 12}, 1), b = numbers({1, 3, 12, 12}, 2);
    const Switches of_a = switches_of(net, a), of_b = switches_of(net, b);
    const auto back = [&](const Tensor& x, const Switches& s) {
      return deconvnet(net, x, {.target = 1, .probe = with_switches(net, x.shape(), s)});
    };
    const Tensor own_a = deconvnet(net, a, {.target = 1}), own_b = deconvnet(net, b, {.target = 1});
    CHECK(equal(back(a, of_a), own_a));
    CHECK(equal(back(a, of_b), own_b));
    CHECK(largest_difference(own_a, own_b) > 0.01);
    const Tensor gradient_b = gradient(net, b, {.target = 1});
    const Tensor mixed = gradient(net, a, {.target = 1, .probe = with_switches(net, a.shape(), of_b)});
    CHECK(largest_difference(mixed, gradient_b) > 0.01);
  }
}

TEST_CASE("a batch has a row of switches an image, or one row for all") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = pools(device);
    const Tensor x = numbers({3, 3, 12, 12}, 1), other = numbers({3, 3, 12, 12}, 2);
    const Switches of_other = switches_of(net, other), of_first = switches_of(net, other.slice(0, 1));
    const Tensor each = deconvnet(net, x, {.target = 0, .probe = with_switches(net, x.shape(), of_other)});
    CHECK(equal(each, deconvnet(net, other, {.target = 0})));
    const Tensor all = deconvnet(net, x, {.target = 0, .probe = with_switches(net, x.shape(), of_first)});
    for (int64_t i = 0; i < 3; ++i) CHECK(equal(all.slice(i, i + 1), each.slice(0, 1)));
  }
}

TEST_CASE("changed switches move what they carry") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Graph g;
    const NodeId in = g.input("input", {1, 1, 4, 4}), pool = g.add("pool", max_pool2d({.kernel = 2}), {in});
    g.set_output(
        g.add("fc", linear({.out_features = 1, .bias = false}), {g.add("flatten", flatten(), {pool})}));
    Network net("pool", std::move(g), {{"fc.weight", Tensor::from(std::vector<double>{1, 2, 3, 4}, {1, 4})}},
                device);
    const Tensor x = numbers({1, 1, 4, 4}, 1);
    Switches s = regular_switches(net, x.shape(), RegularSwitch::first);
    const auto back = [&] {
      return deconvnet(net, x, {.target = 0, .probe = with_switches(net, x.shape(), s)});
    };
    const auto wanted = [](std::vector<double> v) { return Tensor::from(v, {1, 1, 4, 4}); };
    CHECK(equal(back(), wanted({1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0})));
    s.at("pool").values<uint8_t>()[2] = 3;  // the window at the bottom left sends its 3 to its last cell
    CHECK(equal(back(), wanted({1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 3, 0, 0})));
    s.at("pool").values<uint8_t>()[0] = 200;  // no cell of its window
    CHECK(equal(back(), wanted({0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 3, 0, 0})));
  }
}

TEST_CASE("regular switches name the first or the middle cell") {
  Network net = pools(Device::ref());
  const Switches first = regular_switches(net, {5, 3, 12, 12}, RegularSwitch::first),
                 middle = regular_switches(net, {5, 3, 12, 12}, RegularSwitch::middle);
  CHECK(first.at("pool1").shape() == Shape({1, 4, 6, 6}));
  CHECK(first.at("pool1").item(7) == 0);
  CHECK(middle.at("pool1").item(7) == 4);  // of 3 × 3
  CHECK(middle.at("pool2").item(0) == 3);  // of 2 × 2
}

TEST_CASE("switches are saved and read, and what does not fit is said by name") {
  Network net = pools(Device::cpu());
  const Tensor x = numbers({1, 3, 12, 12}, 1);
  const Switches all = switches_of(net, x);
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "s.safetensors").string();
  write_switches(path, all, {{"image", "a"}});
  const Switches again = read_switches(path);
  REQUIRE(again.size() == 2);
  for (const auto& [name, t] : all) CHECK(equal(again.at(name), t));

  const auto refused = [&](Switches s, const char* part) {
    CHECK_THROWS_WITH_AS(with_switches(net, x.shape(), std::move(s)), doctest::Contains(part), UsageError);
  };
  refused({}, "no switches of 'pool1'");
  Switches odd = all;
  odd.emplace("pool3", all.at("pool2"));
  refused(odd, "'pool3' is no max pool of pools; did you mean");
  odd = all;
  odd.at("pool2") = all.at("pool1");
  refused(odd, "'pool2' are a u8 tensor (1, 5, 3, 3), got u8 (1, 4, 6, 6)");
  odd.at("pool2") = Tensor::zeros(Dtype::f32, {1, 5, 3, 3});
  refused(odd, "got f32");
}

TEST_CASE("apply() is one op: its output, its record, on every device") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4}, {1, 1, 2, 2});
    const Applied pooled = apply(device, max_pool2d({.kernel = 2}), {x});
    CHECK(pooled.output.item() == 4);
    REQUIRE(pooled.record.defined());
    CHECK(pooled.record.item() == 3);
    const OpPtr conv = conv2d({.out_channels = 1, .kernel = 2});
    const Applied sum = apply(device, conv, {x},
                              {Tensor::from(std::vector<double>{1, 10, 100, 1000}, {1, 1, 2, 2}),
                               Tensor::from(std::vector<double>{0.5}, {1})});
    CHECK(sum.output.item() == 4321.5);
    CHECK_FALSE(sum.record.defined());
    CHECK(sum.output.dtype() == device.compute_dtype());
  }
  CHECK_THROWS_AS(apply(Device::ref(), max_pool2d({.kernel = 3}), {Tensor::zeros(Dtype::f64, {1, 1, 2, 2})}),
                  UsageError);
}

}  // namespace loupe::test
