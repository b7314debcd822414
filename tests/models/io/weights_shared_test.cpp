// Real weights, photographs' tensors and labels of the shared data, through the readers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "models/io/labels.h"
#include "models/io/safetensors.h"

namespace loupe {

TEST_CASE("SqueezeNet's weights are views of its file") {
  const auto file = SafetensorsFile::open(LOUPE_SHARED_DIR "/weights/squeezenet1_1.safetensors");
  CHECK(file.metadata().at("architecture") == "squeezenet1_1");
  CHECK(file.names().size() == 52);  // 26 convolutions with a bias
  const int64_t counted = memory_count().now;
  int64_t parameters = 0;
  for (const std::string& name : file.names()) {
    const Tensor t = file.tensor(name);
    parameters += t.numel();
    const auto values = t.values<float>();
    CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::abs(v) < 100; }));
  }
  CHECK(parameters == 1'235'496);
  CHECK(memory_count().now == counted);
}

TEST_CASE("a photograph's class has its label") {
  const auto labels = read_labels(LOUPE_SHARED_DIR "/weights/imagenet_labels.txt");
  CHECK(labels.size() == 1000);
  for (const char* name : {"jaguar", "golden retriever", "gibbon"}) {
    std::string path = LOUPE_SHARED_DIR "/golden/squeezenet1_1/" + std::string(name) + ".safetensors";
    std::replace(path.begin() + static_cast<std::ptrdiff_t>(path.rfind('/')), path.end(), ' ', '_');
    const auto golden = SafetensorsFile::open(path);
    const int64_t wanted = find_class(name, labels, 1000);
    CHECK(golden.metadata().at("class") == std::to_string(wanted));
    const auto logits = golden.tensor("logits").values<float>();
    CHECK(std::max_element(logits.begin(), logits.end()) - logits.begin() == wanted);
  }
}

}  // namespace loupe
