// Attention rollout of vit_b_16 with formula weights against a plain PyTorch computation in double.
// ctest: LABELS big
#include <doctest/doctest.h>

#include "engine/methods/attention_rollout.h"
#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/networks.h"

namespace loupe::test {
namespace {

TEST_CASE("attention_rollout meets PyTorch: vit_b_16") {
  const auto golden =
      SafetensorsFile::open(LOUPE_SHARED_DIR "/golden/methods/vit_b_16_attention.safetensors");
  const Tensor expected = golden.tensor("attention_rollout");
  const int64_t cls = std::stoll(golden.metadata().at("class"));
  const Tensor x = formula_input({1, 3, 224, 224});
  for (const Device device : {Device::cpu(), Device::ref()}) {
    ImageModel model = models::load("vit_b_16", "formula", device);
    const Tensor logits = model.logits(x), map = attention_rollout(model, x);
    CHECK(Target(top1).classes(logits)[0] == cls);
    CHECK(logits.item(cls) == doctest::Approx(golden.tensor("logit").item()).epsilon(1e-5));
    CHECK(map.shape() == Shape{1, 14, 14});
    const double error = relative_l2(map, expected);
    MESSAGE(device.str() << ": " << error);
    CHECK(error <= 1e-5);
  }
}

}  // namespace
}  // namespace loupe::test
