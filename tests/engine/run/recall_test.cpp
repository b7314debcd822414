// Several targets of one input: one forward pass, as many ways back, and the bits of single runs.
#include <doctest/doctest.h>

#include "engine/methods/gradient.h"
#include "engine/run/method.h"
#include "engine/run/recall.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("recall: every method, of three targets, has the bits of single runs") {
  for (const Device device : devices())
    for (const bool transformer : {false, true}) {
      CAPTURE(device.str());
      ImageModel model = transformer ? model_with_formula_weights(small_transformer_graph(), device, "1.norm")
                                     : model_with_formula_weights(SmallNetwork{}.graph(), device, "relu3");
      const Tensor x = formula_input(model.graph().input_shapes(1).at(0));
      const Tensor logits = model.logits(x);
      for (const Method* method : all_methods()) {
        CAPTURE(method->name);
        if (why_unsuited(*method, model, x.shape())) continue;
        if (device == Device::sim() && method->costly) continue;  // slow
        Options options(std::string(method->name), method->options);
        if (method->fit) method->fit(model, x.shape(), options);
        const std::vector<Target> targets{2, Target::difference(1, 3), 4};
        const auto ask = [&](const Target& target) {
          return method->run({.model = model, .input = x, .target = target, .logits = logits}, options);
        };
        std::vector<Explanation> alone;
        for (const Target& target : targets) alone.push_back(ask(target));
        const Recall recall(model);
        for (size_t i = 0; i < targets.size(); ++i) {
          const int64_t before = recall.recalled();
          const Explanation found = ask(targets[i]);
          REQUIRE(found.maps.size() == alone[i].maps.size());
          for (size_t m = 0; m < found.maps.size(); ++m)
            CHECK(same_bits(found.maps[m].values, alone[i].maps[m].values));
          if (i > 0) CHECK(recall.recalled() > before);
        }
      }
    }
}

TEST_CASE("recall: k classes cost one forward pass, other inputs and other weights another") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    Tensor x = formula_input({1, 3, 14, 11}), other = x.clone();
    other.values<float>()[461] += 0.5f;
    const Tensor expected = gradient(net, x, {.target = 4}), of_other = gradient(net, other, {.target = 4});
    const auto passes = [&](const auto& body) {
      const int64_t before = net.forward_passes();
      body();
      return net.forward_passes() - before;
    };
    CHECK(passes([&] {
            for (int64_t c = 0; c < 5; ++c) gradient(net, x, {.target = c});
          }) == 5);
    {
      const Recall recall(net);
      CHECK(passes([&] {
              for (int64_t c = 0; c < 5; ++c) gradient(net, x, {.target = c});
            }) == 1);
      CHECK(recall.recalled() == 4);
      CHECK(same_bits(gradient(net, x, {.target = 4}), expected));
      CHECK(passes([&] { CHECK(same_bits(gradient(net, other, {.target = 4}), of_other)); }) == 1);
      CHECK(same_bits(gradient(net, x, {.target = 4}), expected));
      Tensor bias = net.parameter("conv1.bias").clone();
      for (float& b : bias.values<float>()) b += 1;
      net.set_parameter("conv1.bias", bias);
      CHECK(passes([&] { CHECK_FALSE(same_bits(gradient(net, x, {.target = 4}), expected)); }) == 1);
    }
    CHECK(passes([&] { gradient(net, x, {.target = 4}); }) == 1);
    const Recall none(net, 0);  // no memory: computed each time
    CHECK(passes([&] {
            for (int64_t c = 0; c < 5; ++c) gradient(net, x, {.target = c});
          }) == 5);
    CHECK(none.bytes() == 0);
  }
}

// again() from an edit on: its values are those of the edit that was asked for, whatever is recalled in between.
TEST_CASE("recall: edits") {
  for (const Device device : devices()) {
    CAPTURE(device.str());
    Network net = with_formula_weights(SmallNetwork{}.graph(), device);
    const Tensor x = formula_input({1, 3, 14, 11});
    const NodeId layer = net.graph().find("relu2"), scores = net.graph().output();
    const Purpose purpose{.values = {scores}, .edits = {{.at = layer, .kind = Edit::Kind::scale}}};
    std::vector<Tensor> expected, found;
    const auto ask = [&](std::vector<Tensor>& to) {
      Execution& pass = net.execution(x.shape(), purpose);
      pass.undo(0);
      pass.forward(x);
      to.push_back(pass.value(scores));
      for (const double factor : {0.0, 2.0, 0.0}) {
        pass.edit(0, Cells::channel(1), factor);
        pass.again();
        to.push_back(pass.value(scores));
      }
    };
    ask(expected);
    const Recall recall(net);
    for (int round = 0; round < 2; ++round) ask(found);
    CHECK(recall.recalled() == 5);  // the second edit by 0, and the second round
    for (size_t i = 0; i < found.size(); ++i) CHECK(same_bits(found[i], expected[i % 4]));
    CHECK_FALSE(same_bits(expected[0], expected[1]));
  }
}

}  // namespace
}  // namespace loupe::test
