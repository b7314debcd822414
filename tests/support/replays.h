// Methods whose passes are replayed as graphs.
#pragma once
#include <doctest/doctest.h>

#include "engine/run/method.h"
#include "models/io/formula.h"
#include "tests/support/networks.h"

namespace loupe::test {

inline ImageModel small_model(Device device, bool transformer, bool capture) {
  ImageModel m = transformer ? model_with_formula_weights(small_transformer_graph(), device, "1.norm")
                             : model_with_formula_weights(SmallNetwork{}.graph(), device, "relu3");
  m.network.capture = capture;
  return m;
}

/// Runs every method that suits, three times, on a device of graphs: from the second run on its passes are
/// replayed, and the maps are those of passes queued step by step, to the bit.
inline void check_replays(Device device) {
  for (const bool transformer : {false, true}) {
    ImageModel replayed = small_model(device, transformer, true),
               queued = small_model(device, transformer, false);
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

}  // namespace loupe::test
