// A trained network of the shared data whose names all start with "module.".
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "models/io/weights_file.h"
#include "tests/support/torch_bytes.h"
#include "tests/support/torch_lines.h"

namespace loupe {

TEST_CASE("every tensor of a trained ResNet-20 is torch.load's") {
  constexpr const char* kName = "resnet20-12fca82f.th";
  const std::string path = std::string(LOUPE_SHARED_DIR "/weights/") + kName;
  const auto golden =
      nlohmann::json::parse(file_content(LOUPE_SOURCE_DIR "/tests/golden/torch_files.json"))[kName];
  const TorchFile file = TorchFile::open(path);
  CHECK(std::ssize(file.names()) == golden["tensors"]);
  char hash[20];
  std::snprintf(hash, sizeof hash, "%016" PRIx64, digest_of(tensor_lines(file)));
  CHECK(hash == golden["hash"]);

  WeightsFile stripped = WeightsFile::open(path);
  CHECK(stripped.contains("module.conv1.weight"));
  CHECK(stripped.strip_prefix({"conv1.weight"}) == "module.");
  CHECK(stripped.tensor("conv1.weight").shape() == Shape{16, 3, 3, 3});
}

}  // namespace loupe
