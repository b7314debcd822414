// Files of torch.save that packages carry: every tensor is torch.load's.
#include <doctest/doctest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/support/torch_bytes.h"
#include "tests/support/torch_lines.h"

namespace loupe {

TEST_CASE("every tensor of files of other people is torch.load's") {
  const auto golden = nlohmann::json::parse(file_content(LOUPE_SOURCE_DIR "/tests/golden/torch_files.json"));
  const std::filesystem::path folder = std::getenv("LOUPE_TEST_MODELS");
  int compared = 0;
  for (const auto& [name, expected] : golden.items()) {
    if (!std::filesystem::exists(folder / name)) continue;
    INFO(name);
    const TorchFile file = TorchFile::open(folder / name);
    CHECK(std::ssize(file.names()) == expected["tensors"]);
    char hash[20];
    std::snprintf(hash, sizeof hash, "%016" PRIx64, digest_of(tensor_lines(file)));
    CHECK(hash == expected["hash"]);
    ++compared;
  }
  CHECK(compared >= 4);
}

}  // namespace loupe
