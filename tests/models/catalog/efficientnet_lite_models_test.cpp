// EfficientNet-Lite0 with its ImageNet weights against PyTorch: tests/oracle/compare_efficientnet_lite.py made
// the golden, and compares every logit of the photographs.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/loupe.h"
#include "tests/support/places.h"

namespace loupe {
namespace {

nlohmann::json golden() {
  std::ifstream file(test::source_dir() + "/tests/golden/efficientnet_lite0.json");
  return nlohmann::json::parse(file);
}

ImageModel trained(Device device) {
  const std::filesystem::path weights =
      std::filesystem::path(std::getenv("LOUPE_TEST_MODELS")) / "efficientnet_lite0.pth";
  REQUIRE_MESSAGE(std::filesystem::exists(weights), weights.string() << " is not there");
  return models::load("efficientnet_lite0", weights, device);
}

TEST_CASE("logits with trained weights are PyTorch's") {
  const nlohmann::json expected = golden();
  for (const Backend backend : {Backend::cpu, Backend::ref}) {
    ImageModel model = trained(backend == Backend::cpu ? Device::cpu() : Device::ref());
    CHECK(model.classes() == 1000);
    const Tensor logits = model.logits(formula_input({2, 3, 224, 224}));
    double worst = 0;
    for (int64_t n = 0; n < 2; ++n)
      for (size_t i = 0; i < expected["classes"].size(); ++i) {
        const double error = std::abs(logits.row(n).item(expected["classes"][i].get<int64_t>()) -
                                      expected["logits"][static_cast<size_t>(n)][i].get<double>());
        worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
      }
    MESSAGE(backend_name(backend) << ": logits differ by at most " << worst);
    CHECK(worst <= 1e-4);
  }
}

TEST_CASE("photographs are taken for what PyTorch takes them for") {
  const std::filesystem::path folder = LOUPE_SHARED_DIR "/photos/imagenet_samples";
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("left out: " << folder.string() << " is not there");
    return;
  }
  ImageModel model = trained(Device::cpu());
  int compared = 0;
  const nlohmann::json expected = golden();
  for (const auto& [name, top] : expected["top1"].items()) {
    const Tensor logits = model.logits(model.preprocess(read_image((folder / name).string())));
    const auto values = logits.values<const float>();
    CHECK_MESSAGE(std::max_element(values.begin(), values.end()) - values.begin() == top.get<int64_t>(),
                  name);
    ++compared;
  }
  CHECK(compared >= 80);
}

}  // namespace
}  // namespace loupe
