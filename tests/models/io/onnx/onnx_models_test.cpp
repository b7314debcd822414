// ONNX files of other people: the light models of the onnx package beside the outputs that it stores, open_nsfw
// and magika beside onnxruntime (tests/oracle/make_onnx.py --models).
// ctest: LABELS big
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "models/models.h"
#include "tests/support/onnx_bytes.h"
#include "tests/support/torch_bytes.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

fs::path shelf() { return std::getenv("LOUPE_TEST_MODELS"); }

// A TensorProto in a file, read as an initialiser of a graph.
Tensor stored_output(const fs::path& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  const onnx::ModelProto model =
      onnx_bytes::parse(onnx_bytes::model(onnx_bytes::initializer(std::string(bytes.begin(), bytes.end()))));
  return onnx::decode(model.graph.initializers.at(0), path.string()).tensor();
}

void check_close(const Tensor& y, const Tensor& expected, double tolerance) {
  REQUIRE(y.numel() == expected.numel());
  double most = 0, size = 0;
  for (int64_t i = 0; i < y.numel(); ++i) {
    most = std::max(most, std::abs(y.item(i) - expected.item(i)));
    size = std::max(size, std::abs(expected.item(i)));
  }
  CHECK(most <= tolerance * size);
}

// i·7919 mod period.
Tensor steps(const Shape& shape, int64_t period) {
  Tensor t(Dtype::f32, shape);
  for (int64_t i = 0; i < t.numel(); ++i)
    t.values<float>()[static_cast<size_t>(i)] = static_cast<float>(i * 7919 % period);
  return t;
}

void check_golden(const std::string& name, const Tensor& x) {
  const fs::path path = shelf() / (name + ".onnx");
  if (!fs::exists(path)) return;
  INFO(name);
  const auto golden =
      nlohmann::json::parse(file_content(LOUPE_SOURCE_DIR "/tests/golden/onnx_models.json"))[name];
  const Tensor y = onnx_bytes::run(onnx::read_model(path.string()), x);
  REQUIRE(y.shape() == Shape{std::ssize(golden), std::ssize(golden[0])});
  for (int64_t i = 0; i < y.numel(); ++i)
    CHECK(std::abs(y.item(i) -
                   golden[static_cast<size_t>(i / y.shape()[1])][static_cast<size_t>(i % y.shape()[1])]
                       .get<double>()) < 1e-5);
}

}  // namespace

TEST_CASE("the light models of the onnx package") {
  int compared = 0;
  if (!fs::exists(shelf() / "onnx_light")) return;
  for (const auto& entry : fs::directory_iterator(shelf() / "onnx_light")) {
    if (entry.path().extension() != ".onnx") continue;
    INFO(entry.path().string());
    const Tensor expected =
        stored_output(shelf() / "onnx_light" / (entry.path().stem().string() + "_output_0.pb"));
    // The package's own input: 0, 1 … over their number.
    Tensor x(Dtype::f32, {1, 3, 224, 224});
    for (int64_t i = 0; i < x.numel(); ++i)
      x.values<float>()[static_cast<size_t>(i)] =
          static_cast<float>(static_cast<double>(i) / static_cast<double>(x.numel()));
    check_close(onnx_bytes::run(onnx::read_model(entry.path().string()), x), expected, 1e-5);
    ++compared;
  }
  CHECK(compared == 9);
}

TEST_CASE("open_nsfw, whose maps are (N, H, W, C), and magika, which reads bytes") {
  const Tensor last = steps({2, 224, 224, 3}, 2003);
  Tensor x(Dtype::f32, {2, 3, 224, 224});
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t pixel = i % (224 * 224), c = i / (224 * 224) % 3, n = i / (3 * 224 * 224);
    const double step = last.item((n * 224 * 224 + pixel) * 3 + c);
    x.values<float>()[static_cast<size_t>(i)] = static_cast<float>(step / 2003 * 200 - 100);
  }
  check_golden("open_nsfw", x);
  check_golden("magika", steps({2, 2048}, 257));
}

TEST_CASE("open_nsfw as a model: two classes, and where Grad-CAM looks") {
  if (!fs::exists(shelf() / "open_nsfw.onnx")) return;
  ImageModel net = loupe::models::load((shelf() / "open_nsfw.onnx").string(), {}, Device::cpu());
  CHECK(net.classes() == 2);
  CHECK(net.graph().input_shapes()[0] == Shape{1, 3, 224, 224});
  const Shape trunk = net.graph().node(net.graph().find(net.trunk)).shape();
  CHECK(trunk == Shape{1, 1024, 7, 7});
}

}  // namespace loupe
