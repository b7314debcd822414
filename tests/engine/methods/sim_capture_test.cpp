// Every method in the simulator, its passes replayed as graphs.
#include "tests/support/device.h"
#include "tests/support/replays.h"

namespace loupe::test {

TEST_CASE("a method that runs again is replayed, with the same bits") {
  skip_without(Backend::sim);
  check_replays(Device::sim());
}

TEST_CASE("a job of several batches is replayed from the second on") {
  skip_without(Backend::sim);
  ImageModel m = small_model(Device::sim(), false, true);
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

}  // namespace loupe::test
