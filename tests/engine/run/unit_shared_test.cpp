// Units of a layer against PyTorch: the goldens neuron_gradient and neuron_gradient_top.
#include <doctest/doctest.h>

#include "engine/methods/gradient.h"
#include "models/io/safetensors.h"
#include "tests/support/networks.h"
#include "tests/support/shared_maps.h"

namespace loupe::test {
namespace {

int64_t top_channel(const std::string& photo) {
  const auto file =
      SafetensorsFile::open(std::string(LOUPE_SHARED_DIR) + "/golden/methods/" + photo + ".safetensors");
  return std::stoll(file.metadata().at("top_channel"));
}

// The unit of features.10 at (6, 6), asked of the method as `loupe explain --layer features.10 --unit C,6,6` asks.
Tensor of_unit(ImageModel& model, const std::string& photo, int64_t channel) {
  const Tensor x = shared_input(photo);
  const Target target = Target::unit(channel, {{6, 6}}).of(model.graph().find("features.10"));
  const Method& method = find_method("gradient");
  const Options options("gradient", method.options);
  return map_of(
      method.run({.model = model, .input = x, .target = target, .logits = model.logits(x)}, options),
      "gradient");
}

TEST_CASE("units: the gradient of features.10 at (6, 6)") {
  for (const Device device : {Device::ref(), Device::cpu()}) {
    ImageModel& model = shared_squeezenet(device);
    for (const std::string& photo : photos()) {
      CAPTURE(device.str());
      CAPTURE(photo);
      // Channel 100 is off in all of them.
      const Tensor off = of_unit(model, photo, 100);
      int64_t others = 0;
      for (int64_t i = 0; i < off.numel(); ++i) others += off.item(i) != 0;
      CHECK(others == 0);
      const double distance =
          shared_distance(photo, "neuron_gradient_top", of_unit(model, photo, top_channel(photo)));
      MESSAGE(device.str() << " " << photo << ": " << distance);
      CHECK(distance < (device == Device::ref() ? 1e-4 : 1e-3));
    }
  }
}

}  // namespace
}  // namespace loupe::test
