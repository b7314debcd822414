// Other heads: fully connected layers as convolutions, and global average pooling with a linear layer that is taught.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/graph/heads.h"
#include "engine/training/linear_head.h"
#include "kernels/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/common/draws.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/flatten/flatten.h"
#include "kernels/linear/linear.h"
#include "models/loupe.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

// Maps of 3×2 places at its own size, 9×6 pixels.
Graph small_fc(bool pool, bool bias = true) {
  Graph g;
  NodeId n = g.input("input", {1, 3, 9, 6});
  const auto chain = [&](const std::string& name, OpPtr op) { n = g.add(name, std::move(op), {n}); };
  chain("conv", conv2d({.out_channels = 4, .kernel = 3, .stride = 3}));
  chain("relu", relu());
  if (pool) chain("pool", adaptive_avg_pool2d(Pair(3, 2)));
  chain("flatten", flatten());
  chain("fc1", linear({.out_features = 7, .bias = bias}));
  chain("norm", batch_norm());
  chain("relu1", relu());
  chain("dropout", dropout(0.5));
  chain("fc2", linear({.out_features = 5, .bias = bias}));
  return g;
}

Network dense_network(const Graph& graph, Device device) {
  const Graph dense = dense_head(graph);
  return {"the dense network", dense, reshaped(formula_weights(graph), dense), device};
}

TEST_CASE("dense head: every window of the maps has the scores that the layers give it alone") {
  for (const Device device : devices())
    for (const bool pool : {false, true})
      for (const bool bias : {false, true}) {
        CAPTURE(device.str());
        const double tolerance = device == Device::ref() ? 1e-12 : 1e-5;
        Network own = with_formula_weights(small_fc(pool, bias), device);
        Network dense = dense_network(small_fc(pool, bias), device);
        const Tensor x = formula_input({2, 3, 9, 6});
        CHECK(relative_l2(dense.logits(x), own.logits(x)) < tolerance);

        // 5×6 places: 3×5 windows. The stride equals the kernel, so a window's pixels are a picture of its own.
        const Tensor large = formula_input({1, 3, 15, 18});
        const NodeId scores = dense.graph().find("fc2");
        Execution& e = dense.execution(large.shape(), {.values = {scores, dense.graph().output()}});
        e.forward(large);
        const Tensor maps = e.value(scores), mean = e.value(dense.graph().output());
        REQUIRE(maps.shape() == Shape{1, 5, 3, 5});
        std::vector<double> sums(5, 0.0);
        for (int64_t i = 0; i < 3; ++i)
          for (int64_t j = 0; j < 5; ++j) {
            const Tensor window(Dtype::f32, {1, 3, 9, 6});
            for (int64_t c = 0; c < 3; ++c)
              for (int64_t y = 0; y < 9; ++y)
                for (int64_t k = 0; k < 6; ++k)
                  window.values<float>()[static_cast<size_t>((c * 9 + y) * 6 + k)] =
                      static_cast<float>(large.item((c * 15 + 3 * i + y) * 18 + 3 * j + k));
            const Tensor alone = own.logits(window);
            double error = 0, size = 0;
            for (int64_t c = 0; c < 5; ++c) {
              const double there = maps.item((c * 3 + i) * 5 + j);
              sums[static_cast<size_t>(c)] += there / 15;
              error += std::pow(there - alone.item(c), 2);
              size += std::pow(alone.item(c), 2);
            }
            CHECK(std::sqrt(error / size) < tolerance);
          }
        CHECK(relative_l2(mean, Tensor::from(std::span<const double>(sums), {1, 5})) < tolerance);
      }
}

TEST_CASE("dense head: cam shows each place's score, on larger pictures") {
  ImageModel model{.network = dense_network(small_fc(true), Device::cpu())};
  const Method& method = find_method("cam");
  const auto why = why_unsuited(method, model, {1, 3, 9, 6});
  REQUIRE(why.has_value());
  CHECK(*why == "the last maps, 'fc2', have one place alone for inputs of 9×6 pixels");
  CHECK_FALSE(why_unsuited(method, model, {1, 3, 15, 18}).has_value());
  CHECK(cam(model, formula_input({1, 3, 15, 18}), {.target = 2}).shape() == Shape{1, 3, 5});
}

TEST_CASE("dense head: whom it does not suit") {
  const auto why = [](const std::string& name) {
    return usage_error([&] { models::with_dense_head(models::build(name)); });
  };
  const std::string no = "this network has no fully connected head that could become convolutions: ";
  CHECK(why("resnet18") == no + "'avgpool' leaves one place alone; --method cam shows what each place adds");
  CHECK(why("squeezenet1_1").starts_with(no));
  CHECK(why("vit_b_16").starts_with(no + "on the way from its scores to its maps comes"));
  for (const std::string name : {"alexnet", "vgg11", "vgg16_bn", "zfnet", "zoo_fc"})
    CHECK(why(name) == "no error");
}

TEST_CASE("dense head: AlexNet and VGG at their own size and on larger pictures") {
  for (const auto& [name, places] : {std::pair<std::string, int64_t>{"alexnet", 3}, {"vgg11", 3}}) {
    CAPTURE(name);
    Tensor expected;
    const Tensor x = formula_input({1, 3, 224, 224});
    {
      ImageModel own = models::load(name, "formula", Device::cpu());
      expected = own.logits(x);
    }
    ImageModel dense =
        models::load(name, models::with_dense_head(models::build(name)), "formula", Device::cpu());
    const double distance = relative_l2(dense.logits(x), expected);
    MESSAGE(name, ": ", distance);
    CHECK(distance < 1e-5);
    CHECK(cam(dense, formula_input({1, 3, 288, 288})).shape() == Shape{1, places, places});
  }
}

TEST_CASE("pooled head: ends with pooling and a linear layer behind the trunk, and cam suits it") {
  const Model model = models::with_pooled_head(models::build("alexnet"), 6);
  const Graph& g = model.graph;
  CHECK(g.node(g.output()).name == "head.fc");
  CHECK(g.node(g.output()).shape() == Shape{1, 6});
  CHECK(g.node(cam_head(g).maps).name == "features.11");
  CHECK_FALSE(g.try_find("classifier").has_value());
  CHECK(g.parameters().size() == 2 * 6);
}

TEST_CASE("linear head: learns what can be told apart, by features of any scale") {
  // Class c: feature c is larger by 3 deviations. Feature 3 is always the same.
  constexpr int64_t kCount = 300;
  const Draws draws("7");
  const Tensor features(Dtype::f32, {kCount, 4});
  std::vector<int64_t> classes;
  std::vector<double> noise(kCount * 4);
  draws.normals("noise", noise);
  for (int64_t n = 0; n < kCount; ++n) {
    classes.push_back(n % 3);
    for (int64_t k = 0; k < 4; ++k) {
      const double v = noise[static_cast<size_t>(4 * n + k)] + (k == n % 3 ? 3 : 0);
      features.values<float>()[static_cast<size_t>(4 * n + k)] =
          static_cast<float>(k == 3 ? 8.0 : v * std::pow(100.0, k - 1) + 5);
    }
  }
  const LinearHead head = train_linear_head(features, classes, 3, Device::cpu(),
                                            {.steps = 150, .batch = 32, .rate = 0.03, .warmup = 5}, 1);
  int64_t right = 0;
  for (int64_t n = 0; n < kCount; ++n) {
    std::vector<double> scores;
    for (int64_t c = 0; c < 3; ++c) {
      scores.push_back(head.bias.item(c));
      for (int64_t k = 0; k < 4; ++k) scores.back() += head.weight.item(4 * c + k) * features.item(4 * n + k);
    }
    right += std::ranges::max_element(scores) - scores.begin() == n % 3;
  }
  CHECK(right > kCount * 9 / 10);
  for (int64_t c = 0; c < 3; ++c) CHECK(head.weight.item(4 * c + 3) == 0);
}

}  // namespace
}  // namespace loupe::test
