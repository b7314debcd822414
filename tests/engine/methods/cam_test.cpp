#include <doctest/doctest.h>

#include <cmath>

#include "engine/methods/cam.h"
#include "engine/run/method.h"
#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

double mean(const Tensor& map) {
  double sum = 0;
  for (int64_t i = 0; i < map.numel(); ++i) sum += map.item(i);
  return sum / static_cast<double>(map.numel());
}

// Σ |W[c,k]·mean(A_k)| + |bias|: what the rounding errors of the head are relative to. A ≥ 0 after its ReLU.
double head_magnitude(Network& net, const Tensor& x, int64_t cls) {
  const NodeId maps = cam_head(net.graph()).maps;
  Execution& e = net.execution(x.shape(), {.values = {maps}});
  e.forward(x);
  const Tensor a = e.value(maps);
  double size = std::abs(net.parameter("fc.bias").item(cls));
  for (int64_t k = 0; k < a.shape()[1]; ++k)
    size += std::abs(net.parameter("fc.weight").item(cls * a.shape()[1] + k)) * mean(a.row(0).row(k));
  return size;
}

TEST_CASE("cam: its mean and the bias make up the score") {
  const Tensor x = formula_input({3, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const double unit = device.backend == Backend::ref ? 0x1p-53 : 0x1p-24;
    for (int64_t cls = 0; cls < 5; ++cls) {
      const Tensor map = cam(net, x, {.target = cls}), logits = net.logits(x);
      REQUIRE(map.shape() == Shape{3, 6, 5});
      for (int64_t n = 0; n < 3; ++n) {
        const double error = mean(map.row(n)) + net.parameter("fc.bias").item(cls) - logits.item(n * 5 + cls);
        const int64_t roundings =
            2 * (30 + 18 + 2);  // an average of 30 cells and a sum of 18 channels, in both
        CHECK(std::abs(error) <=
              static_cast<double>(roundings) * unit * head_magnitude(net, x.slice(n, n + 1), cls));
      }
    }
  }
}

TEST_CASE("cam: the channel of the class before its ReLU, where maps of classes are averaged") {
  const Tensor x = formula_input({2, 3, 14, 11});
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(channel_head_graph(), device);
    const NodeId classes = net.graph().find("classes");
    Execution& e = net.execution(x.shape(), {.values = {classes}});
    e.forward(x);
    const Tensor maps = e.value(classes);
    const Tensor map = cam(net, x, {.target = std::vector<int64_t>{4, 1}});
    CHECK(same_bits(map.row(0), maps.row(0).row(4)));
    CHECK(same_bits(map.row(1), maps.row(1).row(1)));
  }
}

TEST_CASE("cam: of a forward pass that has run, without another") {
  const Tensor x = formula_input({1, 3, 14, 11});
  for (const Device device : devices())
    for (const bool linear : {true, false}) {
      CAPTURE(device.str());
      CAPTURE(linear);
      ImageModel model =
          model_with_formula_weights(linear ? SmallNetwork{}.graph() : channel_head_graph(), device);
      const Tensor alone = cam(model, x, {.target = 3});
      const Method& method = find_method("cam");
      const Options options("cam", method.options);
      const std::vector<NodeId> reads = method.reads(model, options);
      REQUIRE(reads.size() == 1);
      const NodeId scores = model.graph().output();
      Execution& e = model.network.execution(x.shape(), {.values = {scores, reads[0]}});
      e.forward(x);
      Question q{.model = model, .input = x, .target = 3, .logits = e.value(scores)};
      q.values.emplace(reads[0], e.value(reads[0]));
      CHECK(same_bits(method.run(q, options).maps[0].values, alone.row(0)));
      CHECK(same_bits(cam_of(model, q.values.at(reads[0]), q.logits, {.target = 3}), alone));
      CHECK(same_bits(cam_of(model, e, {.target = 3}), alone));
      CHECK_NOTHROW(e.value(scores));  // still the network's last pass
      CHECK(same_bits(q.logits, model.logits(x)));
    }
}

TEST_CASE("cam: which architectures it suits") {
  const auto maps = [](const std::string& name) {
    const Graph graph = models::build(name).graph;
    const CamHead head = cam_head(graph);
    return head.missing.empty() ? graph.node(head.maps).name : "none: " + head.missing;
  };
  CHECK(maps("squeezenet1_1") == "classifier.1");
  CHECK(maps("resnet18") == "layer4.1.relu_1");
  CHECK(maps("mobilenet_v2") == "features.18.2");
  CHECK(maps("densenet121") == "relu");
  CHECK(maps("googlenet") == "inception5b.cat");
  CHECK(maps("inception_v3") == "Mixed_7c.cat_2");
  CHECK(maps("efficientnet_b0") == "features.8.2");
  CHECK(maps("regnet_y_400mf") == "trunk_output.block4.block4-5.activation");
  CHECK(maps("mnasnet1_0") == "layers.16");  // the mean of each map is taken by reduce
  CHECK(maps("shufflenet_v2_x1_0") == "conv5.2");
  CHECK(
      maps("convnext_tiny").starts_with("none: the head must be global average pooling"));  // a norm follows
  CHECK(maps("mobilenet_v3_small").starts_with("none: the head must be"));
  CHECK(maps("alexnet") ==
        "none: the head must be global average pooling and one linear layer, but the scores come from "
        "'classifier.5' (relu)");
  CHECK(maps("vgg16").starts_with("none: the head must be global average pooling"));
}

TEST_CASE("cam: refuses other heads") {
  Network net = with_formula_weights(linear_graph(6, 6), Device::cpu());
  CHECK(usage_error([&] {
          cam(net, formula_input({1, 3, 6, 6}));
        }) ==
        "cam does not suit the test network: the head must be global average pooling and one linear layer, "
        "but the scores come "
        "from 'input' (input)");
}

}  // namespace
}  // namespace loupe::test
