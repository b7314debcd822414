#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/methods/cam.h"
#include "engine/methods/grad_cam.h"
#include "engine/run/method.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

Tensor maps_of(Network& net, const Tensor& x) {
  const NodeId maps = cam_head(net.graph()).maps;
  Execution& e = net.execution(x.shape(), {.values = {maps}});
  e.forward(x);
  return e.value(maps);
}

// There ∂score/∂A_k is W[c,k] / places everywhere, so α_k is that and Grad-CAM is max(0, CAM) / places.
TEST_CASE("grad_cam: proportional to CAM where the head is global average pooling and a linear layer") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), device, "relu3");
    const double unit = device.backend == Backend::ref ? 0x1p-53 : 0x1p-24;
    for (int64_t cls = 0; cls < 5; ++cls) {
      const Tensor ours = grad_cam(net, x, {.target = cls}), theirs = cam(net, x, {.target = cls});
      REQUIRE(ours.shape() == theirs.shape());
      const Tensor maps = maps_of(net, x), weight = net.network.parameter("fc.weight");
      for (int64_t i = 0; i < ours.numel(); ++i) {
        double size = 0;  // Σ|W[c,k]·A_k| at this place; A ≥ 0 after its ReLU
        for (int64_t k = 0; k < 18; ++k)
          size += std::abs(weight.item(cls * 18 + k)) * maps.item((i / 30 * 18 + k) * 30 + i % 30);
        // The backward pass rounds W / places, both results are rounded once, and sums of 18 in double hardly
        // count.
        CHECK(std::abs(ours.item(i) - std::max(0.0, theirs.item(i)) / 30) <=
              (4 * unit + 60 * 0x1p-53) * size / 30);
      }
    }
  }
}

TEST_CASE("grad_cam: at any layer, and independent of the batch") {
  const Tensor x = formula_input({4, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), device);
    for (const std::string layer : {"conv1", "relu1", "pool1", "conv2", "relu2", "add"}) {
      CAPTURE(layer);
      const Tensor all = grad_cam(net, x, {.layer = layer});
      const Shape& maps = net.graph().node(net.graph().find(layer)).shape();
      CHECK(all.shape() == Shape{4, maps[2], maps[3]});
      for (int64_t n = 0; n < 4; ++n)
        CHECK(same_bits(grad_cam(net, x.slice(n, n + 1), {.layer = layer}).row(0), all.row(n)));
      CHECK(std::ranges::all_of(values_of(all), [](double v) { return v >= 0; }));
      CHECK(std::ranges::any_of(values_of(all), [](double v) { return v > 0; }));
    }
  }
}

// Grad-CAM by its definition, from the gradient that an execution hands out.
TEST_CASE("grad_cam: the formula, at a layer in the middle") {
  ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::ref());
  const Tensor x = formula_input({1, 3, 14, 11});
  const NodeId layer = net.graph().find("relu2"), scores = net.graph().output();
  const Tensor map = grad_cam(net, x, {.target = 1, .layer = "relu2"});
  Execution& e = net.network.execution(x.shape(), {.values = {layer}, .from = scores, .gradients = {layer}});
  e.forward(x);
  e.backward(seed_channels({1, 5}, std::vector<int64_t>{1}));
  const Tensor a = e.value(layer).row(0), g = e.gradient(layer).row(0);
  for (int64_t p = 0; p < 30; ++p) {
    double sum = 0;
    for (int64_t k = 0; k < 18; ++k) {
      double alpha = 0;
      for (int64_t q = 0; q < 30; ++q) alpha += g.item(k * 30 + q) / 30;
      sum += alpha * a.item(k * 30 + p);
    }
    CHECK(map.item(p) == doctest::Approx(std::max(0.0, sum)).epsilon(1e-12).scale(1));
  }
}

TEST_CASE("grad_cam: layers that do not fit") {
  ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu());
  const Tensor x = formula_input({1, 3, 14, 11});
  const auto refusal = [&](const std::string& layer) {
    return usage_error([&] { grad_cam(net, x, {.layer = layer}); });
  };
  CHECK(refusal("fc") ==
        "grad_cam needs a layer with maps, but 'fc' is (1, 5): choose another with --grad_cam.layer; those "
        "that "
        "work are conv1, relu1, pool1, conv2, relu2, conv3, add, relu3");
  CHECK(refusal("average").starts_with("grad_cam needs a layer with maps, but 'average' is (1, 18, 1, 1)"));
  CHECK(refusal("relu9").starts_with("the network has no layer 'relu9'; did you mean 'relu"));
  CHECK(
      refusal("").starts_with("the test network names no layer for grad_cam: choose one with "
                              "--grad_cam.layer; those that work are conv1, "));
}

TEST_CASE("grad_cam: a map of nothing is said to be one") {
  ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu(), "relu3");
  const Tensor x = formula_input({1, 3, 14, 11});
  const Method& method = find_method("grad_cam");
  const auto notes = [&](double sign) {
    auto weights = formula_weights(net.graph());
    for (float& w : weights.at("fc.weight").values<float>()) w = static_cast<float>(sign);
    ImageModel changed{Network("changed", net.graph(), weights, Device::cpu(), {}), {}, {}, "relu3", {}};
    return method
        .run({.model = changed, .input = x, .target = 1, .logits = changed.logits(x)},
             Options("grad_cam", method.options))
        .notes;
  };
  CHECK(notes(1).empty());
  REQUIRE(notes(-1).size() == 1);
  CHECK(notes(-1)[0].starts_with("The map is 0 everywhere: no place of layer relu3 speaks for the class"));
}

TEST_CASE("grad_cam and cam: one place tells nothing of places, and is refused before anything is computed") {
  ImageModel net = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu(), "relu3");
  const Method& method = find_method("grad_cam");
  CHECK(!why_unsuited(method, net, {1, 3, 14, 11}));
  ImageModel pooled = model_with_formula_weights(SmallNetwork{}.graph(), Device::cpu(), "average");
  const auto why = why_unsuited(method, pooled, {1, 3, 14, 11});
  REQUIRE(why.has_value());
  CHECK(why->starts_with("grad_cam needs a layer with maps, but 'average' is (1, 18, 1, 1)"));
  Options options("grad_cam", method.options);
  options.set("layer", "fc");
  CHECK(usage_error([&] {
          why_unsuited(method, net, {1, 3, 14, 11}, &options);
        }).starts_with("grad_cam needs a layer with maps, but 'fc'"));
}

}  // namespace
}  // namespace loupe::test
