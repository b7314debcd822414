// Networks whose input is not three normalised channels, against PyTorch in float64
// (tests/oracle/make_other_inputs_golden.py): one channel, and torchvision's transform_input.
// ctest: LABELS big
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/methods/gradient.h"
#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/networks.h"
#include "tests/support/pictures.h"

namespace loupe::test {
namespace {

double norm(const Tensor& t) {
  double sum = 0;
  for (int64_t i = 0; i < t.numel(); ++i) sum += t.item(i) * t.item(i);
  return std::sqrt(sum);
}

ModelOptions options_of(const nlohmann::json& j) {
  ModelOptions options{.channels = j.value("channels", 0)};
  if (j.contains("transform_input")) options.transform_input = j["transform_input"].get<bool>();
  return options;
}

}  // namespace

TEST_CASE("one channel, and transform_input, are PyTorch's") {
  std::ifstream file(LOUPE_SOURCE_DIR "/tests/golden/other_inputs.json");
  const auto cases = nlohmann::json::parse(file);
  REQUIRE(cases.size() == 6);
  for (const Device device : {Device::ref(), Device::cpu()})
    for (const auto& c : cases) {
      const std::string name = c["name"];
      const Shape input(c["input"].get<std::vector<int64_t>>());
      ImageModel model = models::load(name, "formula", device, options_of(c["options"]));
      const Tensor x = formula_input(input), logits = model.logits(x);
      double worst = 0;
      for (size_t i = 0; i < c["logits"].size(); ++i)
        worst =
            std::max(worst, std::abs(logits.item(static_cast<int64_t>(i)) - c["logits"][i].get<double>()));
      const double in_logits = worst / c["largest"].get<double>(), l2 = c["gradient_l2"];
      const double in_norm = std::abs(norm(gradient(model, x, {.target = 7})) - l2) / l2;
      MESSAGE(device.str() << " " << name << ": logits " << in_logits << ", gradient's norm " << in_norm);
      // torch's constants of transform_input are float64 there, and float32 in a graph: 2^-24 apart.
      const bool exact = device == Device::ref();
      CHECK(in_logits <= (exact ? c["options"].contains("channels") ? 1e-9 : 1e-6 : 1e-4));
      CHECK(in_norm <= (exact ? c["options"].contains("channels") ? 1e-9 : 1e-5 : 1e-2));
    }
}

TEST_CASE("transform_input comes with a file of weights for 1000 classes, and with none else") {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "w.safetensors").string();
  NamedTensors weights;
  for (const auto& [name, values] : formula_weights(models::build("googlenet").graph))
    weights.emplace_back(name, values);
  write_safetensors(path, weights);
  const Tensor x = formula_input({1, 3, 64, 64});
  const auto logits = [&](const std::string& from, const ModelOptions& options) {
    return models::load("googlenet", from, Device::cpu(), options).logits(x);
  };
  const Tensor plain = logits("formula", {}), transformed = logits("formula", {.transform_input = true});
  CHECK(!same_bits(plain, transformed));
  CHECK(same_bits(logits(path, {}), transformed));
  CHECK(same_bits(logits(path, {.transform_input = false}), plain));
  CHECK(!models::for_weights("googlenet", {.classes = 10}, path).transform_input.value_or(false));
  CHECK(!models::for_weights("resnet18", {}, path).transform_input.has_value());
  CHECK_THROWS_AS(models::build("resnet18", {.transform_input = true}), UsageError);
}

TEST_CASE("a network of one channel is given grey pictures") {
  ImageModel model =
      models::load("resnet18", "formula", Device::cpu(), {.height = 64, .width = 64, .channels = 1});
  CHECK(model.preprocessing.channels == 1);
  CHECK(model.preprocess(pattern(90, 80)).shape() == Shape{1, 1, 64, 64});
  const Image grey = to_image(model.preprocess(pattern(90, 80)), model.preprocessing);
  CHECK(grey.rgb[0] == grey.rgb[1]);
  CHECK(models::build("resnet18").preprocessing.channels == 3);
}

}  // namespace loupe::test
