#include "engine/methods/attention_rollout.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/methods/cam.h"
#include "engine/methods/grad_cam.h"
#include "models/io/formula.h"
#include "models/models.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix times(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), std::vector<double>(a.size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a.size(); ++j)
      for (size_t k = 0; k < a.size(); ++k) c[i][j] += a[i][k] * b[k][j];
  return c;
}

// (mean over heads + I), each row divided by its sum, of image n.
Matrix mixed(const Tensor& pattern, int64_t n) {
  const int64_t heads = pattern.shape()[1], tokens = pattern.shape()[2];
  Matrix m(static_cast<size_t>(tokens), std::vector<double>(static_cast<size_t>(tokens)));
  for (int64_t i = 0; i < tokens; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < tokens; ++j) {
      double& v = m[static_cast<size_t>(i)][static_cast<size_t>(j)];
      for (int64_t h = 0; h < heads; ++h)
        v += pattern.item(((n * heads + h) * tokens + i) * tokens + j) / static_cast<double>(heads);
      sum += v += i == j;
    }
    for (double& v : m[static_cast<size_t>(i)]) v /= sum;
  }
  return m;
}

const Shape kInput{3, 3, 12, 8};

TEST_CASE("attention_rollout: the class token's row of the layers' product") {
  const Tensor x = formula_input(kInput);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(small_transformer_graph(), device);
    const Port first{net.graph().find("0.attention"), 1}, second{net.graph().find("1.attention"), 1};
    const Tensor map = attention_rollout(net, x);
    REQUIRE(map.shape() == Shape{3, 3, 2});
    // With the patterns of the same pass (values of the same plan) only the product's roundings remain.
    Execution& e = net.execution(x.shape(), {.values = {first, second}});
    e.forward(x);
    const Tensor a = e.value(first), b = e.value(second);
    for (int64_t n = 0; n < 3; ++n) {
      const Matrix rollout = times(mixed(b, n), mixed(a, n));
      double sum = rollout[0][0];
      for (int64_t p = 0; p < 6; ++p) {
        const double expected = rollout[0][static_cast<size_t>(1 + p)];
        const double unit = device == Device::ref() ? 0x1p-53 : 0x1p-24;  // the result's type
        CHECK(std::abs(map.item(n * 6 + p) - expected) <= unit * expected + 40 * 0x1p-53);
        sum += map.item(n * 6 + p);
      }
      CHECK(sum == doctest::Approx(1).epsilon(1e-6));  // rows of products of such matrices sum to 1
    }
  }
}

TEST_CASE("attention_rollout: independent of the batch and of the memory") {
  const Tensor x = formula_input(kInput);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(small_transformer_graph(), device);
    const Tensor all = attention_rollout(net, x);
    for (int64_t n = 0; n < 3; ++n)
      CHECK(same_bits(attention_rollout(net, x.slice(n, n + 1)).row(0), all.row(n)));
    net.memory_limit = net.execution(x.shape().with(0, 1), {.values = {{net.graph().find("0.attention"), 1}}})
                           .plan()
                           .arena_bytes() *
                       2;
    CHECK(same_bits(attention_rollout(net, x), all));
  }
}

TEST_CASE("attention_rollout: which networks it suits") {
  const auto why = [](const Graph& graph) {
    return attention_layers(graph, graph.input_shapes().at(0)).missing;
  };
  const Graph vit = models::build("vit_b_16").graph;
  CHECK(why(vit).empty());
  const AttentionLayers found = attention_layers(vit, {1, 3, 224, 224});
  CHECK(found.layers.size() == 12);
  CHECK(vit.node(found.layers[3]).name == "encoder.layers.encoder_layer_3.self_attention.attention");
  CHECK(vit.node(found.tokens.patches).name == "conv_proj");
  CHECK(found.tokens.height == 14);
  CHECK(found.tokens.first == 1);
  const auto squares = patch_squares(vit, found.tokens);
  REQUIRE(squares.has_value());
  CHECK(squares->squares);
  CHECK(squares->stride_h == 16);
  CHECK(squares->offset_w == 7.5);

  CHECK(why(models::build("resnet18").graph) == "it has no attention");
  Network net = with_formula_weights(linear_graph(6, 6), Device::cpu());
  CHECK(usage_error([&] {
          attention_rollout(net, formula_input({1, 3, 6, 6}));
        }) == "attention_rollout does not suit the test network: it has no attention");
}

TEST_CASE("grad_cam: over the patches of a layer of tokens") {
  const Tensor x = formula_input(kInput);
  for (const Device device : devices()) {
    CAPTURE(device.str());
    ImageModel model = model_with_formula_weights(small_transformer_graph(), device, "1.norm");
    const NodeId layer = model.graph().find("1.norm"), scores = model.graph().output();
    const Tensor map = grad_cam(model, x, {.target = 2});
    REQUIRE(map.shape() == Shape{3, 3, 2});
    Execution& e =
        model.network.execution(x.shape(), {.values = {layer}, .from = scores, .gradients = {layer}});
    e.forward(x);
    e.backward(seed_channels({3, 5}, std::vector<int64_t>{2, 2, 2}));
    const Tensor a = e.value(layer), g = e.gradient(layer);  // (3, 7, 8)
    for (int64_t n = 0; n < 3; ++n)
      for (int64_t p = 0; p < 6; ++p) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < 8; ++k) {
          double alpha = 0;
          for (int64_t q = 1; q < 7; ++q) alpha += g.item((n * 7 + q) * 8 + k) / 6;
          sum += alpha * a.item((n * 7 + 1 + p) * 8 + k);
          size += std::abs(alpha * a.item((n * 7 + 1 + p) * 8 + k));
        }
        const double unit = device == Device::ref() ? 0x1p-53 : 0x1p-24;
        CHECK(std::abs(map.item(n * 6 + p) - std::max(0.0, sum)) <=
              unit * std::abs(sum) + 40 * 0x1p-53 * size);
      }
    for (int64_t n = 0; n < 3; ++n)
      CHECK(same_bits(grad_cam(model, x.slice(n, n + 1), {.target = 2}).row(0), map.row(n)));
  }
}

TEST_CASE("cam: a head that reads a token does not suit") {
  CHECK(cam_head(models::build("vit_b_16").graph).missing ==
        "the head must be global average pooling and one linear layer, but the scores come from 'getitem' "
        "(slice)");
}

}  // namespace
}  // namespace loupe::test
