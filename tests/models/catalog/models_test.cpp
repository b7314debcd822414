// models::load: weights from safetensors files, right and wrong ones.
#include "models/models.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "models/io/formula.h"
#include "models/io/safetensors.h"
#include "tests/support/networks.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

constexpr ModelOptions kSmall{.classes = 10, .height = 64, .width = 64};

// A file of SqueezeNet's formula weights that a test case may spoil first; gone with the object.
struct WeightsFile {
  fs::path path = fs::temp_directory_path() / ("loupe_models_" + std::to_string(::getpid()) + ".safetensors");
  NamedTensors tensors;

  WeightsFile() {
    for (const auto& [name, values] : test::formula_weights(models::build("squeezenet1_1", kSmall).graph))
      tensors.emplace_back(name, values);
  }
  ~WeightsFile() { fs::remove(path); }
  Tensor& operator[](const std::string& name) {
    for (auto& [n, tensor] : tensors)
      if (n == name) return tensor;
    throw Error("no tensor " + name);
  }
  ImageModel load() {
    write_safetensors(path.string(), tensors);
    return models::load("squeezenet1_1", path, Device::cpu(), kSmall);
  }
};

std::string message_of(WeightsFile& file) {
  try {
    file.load();
  } catch (const Error& e) {
    return e.what();
  }
  return "(no error)";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a file of the formula's weights is the formula's network; tensors that nobody needs are ignored") {
  WeightsFile file;
  file.tensors.emplace_back("features.0.num_batches_tracked", Tensor::zeros(Dtype::i32, {1}));
  const int64_t before = memory_count().now;
  ImageModel from_file = file.load();
  CHECK(memory_count().now == before);  // the weights stay in the mapped file
  ImageModel formula = models::load("squeezenet1_1", "formula", Device::cpu(), kSmall);
  const Tensor x = formula_input({1, 3, 64, 64});
  const Tensor a = from_file.logits(x), b = formula.logits(x);
  CHECK(a.shape() == Shape{1, 10});
  CHECK(std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0);
  CHECK(from_file.trunk == "features.12");
  CHECK(from_file.classes() == 10);
  CHECK(from_file.name() == "squeezenet1_1");
  CHECK(from_file.preprocessing.crop == 64);
}

TEST_CASE("a prefix of every name is left off, and said") {
  WeightsFile file;
  for (auto& [name, tensor] : file.tensors) name = "module." + name;
  const ImageModel model = file.load();
  CHECK(model.notes.size() == 1);
  CHECK(contains(model.notes.at(0), "every name starts with 'module.', which was left off"));
  file.tensors.back().first = "head.bias";
  CHECK(contains(message_of(file), "lacks the tensor 'features.0.weight'"));
}

TEST_CASE("weights of double precision are rounded to float") {
  WeightsFile file;
  for (auto& [name, tensor] : file.tensors) tensor = tensor.to(Dtype::f64);
  ImageModel model = file.load();
  const Tensor expected = formula_weight("features.0.bias", {64}, ParameterSpec::Role::bias);
  const Tensor& got = model.network.parameter("features.0.bias");
  CHECK(got.dtype() == Dtype::f32);
  CHECK(std::memcmp(got.raw(), expected.raw(), static_cast<size_t>(expected.bytes())) == 0);
}

TEST_CASE("a missing, misshapen or integer tensor is named, with the file") {
  {
    WeightsFile file;
    std::erase_if(file.tensors, [](const auto& t) { return t.first == "features.6.squeeze.bias"; });
    const std::string message = message_of(file);
    CAPTURE(message);
    CHECK(contains(message, file.path.string()));
    CHECK(contains(message, "lacks the tensor 'features.6.squeeze.bias' (32)"));
  }
  {
    WeightsFile file;
    file["classifier.1.weight"] = Tensor::zeros(Dtype::f32, {7, 512, 1, 1});
    const std::string message = message_of(file);
    CAPTURE(message);
    CHECK(contains(message, file.path.string()));
    CHECK(contains(message, "'classifier.1.weight' (7, 512, 1, 1), weights for 7 classes"));
    CHECK(contains(message, "squeezenet1_1 was to have 10: --classes 7 fits it to them"));
  }
  {
    WeightsFile file;
    file["features.0.bias"] = Tensor::zeros(Dtype::i32, {64});
    const std::string message = message_of(file);
    CAPTURE(message);
    CHECK(contains(message, file.path.string()));
    CHECK(contains(message, "'features.0.bias' as 'I32'"));
  }
}

TEST_CASE("an unknown architecture is refused before its weights are looked for") {
  CHECK_THROWS_WITH_AS(models::load("squeezenet1_2", "/nowhere/at/all"), doctest::Contains("squeezenet1_1"),
                       UsageError);
  CHECK_THROWS_WITH_AS(models::load("squeezenet1_1", "/nowhere/at/all"), doctest::Contains("/nowhere/at/all"),
                       Error);
}

}  // namespace
}  // namespace loupe
