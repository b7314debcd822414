// Every method in the simulator: its passes are replayed as graphs, and the maps are those of passes queued
// step by step, to the bit.
#include <doctest/doctest.h>

#include "engine/run/method.h"
#include "models/io/formula.h"
#include "tests/support/device.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

ImageModel model(bool transformer, bool capture) {
  ImageModel m = transformer ? model_with_formula_weights(small_transformer_graph(), Device::sim(), "1.norm")
                             : model_with_formula_weights(SmallNetwork{}.graph(), Device::sim(), "relu3");
  m.network.capture = capture;
  return m;
}

TEST_CASE("a method that runs again is replayed, with the same bits") {
  skip_without(Backend::sim);
  for (const bool transformer : {false, true}) {
    ImageModel replayed = model(transformer, true), queued = model(transformer, false);
    const Tensor x = formula_input(replayed.graph().input_shapes(1).at(0));
    for (const Method* method : all_methods()) {
      CAPTURE(method->name);
      if (why_unsuited(*method, replayed, replayed.graph().input_shapes().at(0))) continue;
      Options options(std::string(method->name), method->options);
      if (method->fit) method->fit(replayed, x.shape(), options);
      const Question q{.model = replayed, .input = x, .target = 2, .logits = replayed.logits(x)};
      const Question plain{.model = queued, .input = x, .target = 2, .logits = queued.logits(x)};
      const Explanation expected = method->run(plain, options);
      for (int run = 0; run < 3; ++run) {
        CAPTURE(run);
        const int64_t before = replayed.network.replays();
        const Explanation got = method->run(q, options);
        REQUIRE(got.maps.size() == expected.maps.size());
        for (size_t i = 0; i < got.maps.size(); ++i)
          CHECK(same_bits(got.maps[i].values, expected.maps[i].values));
        if (run > 0) CHECK(replayed.network.replays() > before);
      }
    }
    CHECK(queued.network.replays() == 0);
  }
}

TEST_CASE("a job of several batches is replayed from the second on") {
  skip_without(Backend::sim);
  ImageModel m = model(false, true);
  const Tensor x = formula_input(m.graph().input_shapes(1).at(0));
  const NodeId input = m.graph().inputs()[0], scores = m.graph().output();
  m.network.memory_limit = Plan(m.graph(), m.graph().input_shapes(8), Backend::sim,
                                {.values = {scores}, .from = scores, .gradients = {input}})
                               .arena_bytes();
  const Method& method = find_method("integrated_gradients");
  Options options("integrated_gradients", method.options);
  options.set("steps", "32");
  method.run({.model = m, .input = x, .target = 2, .logits = m.logits(x)}, options);
  CHECK(m.network.last_batch() == 8);
  CHECK(m.network.replays() >= 3);  // of four batches of gradients
}

}  // namespace
}  // namespace loupe::test
