// resnet20 with weights trained on CIFAR-10 against PyTorch: tests/oracle/compare_cifar_resnet.py made the golden.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/loupe.h"
#include "tests/support/places.h"

namespace loupe {

TEST_CASE("logits of resnet20 with trained weights are PyTorch's") {
  std::ifstream file(test::source_dir() + "/tests/golden/cifar_resnet20.json");
  const auto expected = nlohmann::json::parse(file)["logits"].get<std::vector<std::vector<double>>>();
  for (const Device device : {Device::cpu(), Device::ref()}) {
    ImageModel model = models::load("resnet20", LOUPE_SHARED_DIR "/weights/resnet20-12fca82f.th", device);
    CHECK(model.notes.size() == 1);  // that 'module.' was left off
    REQUIRE(model.labels.size() == 10);
    const Tensor logits = model.logits(formula_input({2, 3, 32, 32}));
    double worst = 0;
    for (size_t n = 0; n < expected.size(); ++n)
      for (size_t c = 0; c < expected[n].size(); ++c) {
        const double error =
            std::abs(logits.row(static_cast<int64_t>(n)).item(static_cast<int64_t>(c)) - expected[n][c]);
        worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
      }
    MESSAGE(backend_name(device.backend) << ": logits differ by at most " << worst);
    CHECK(expected.size() == 2);
    CHECK(worst <= 1e-4);
  }
}

}  // namespace loupe
