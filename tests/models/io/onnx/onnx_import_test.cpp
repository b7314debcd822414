// Small networks by both exporters of torch, and by hand, beside what onnxruntime computed of them
// (tests/oracle/make_onnx.py).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "models/io/safetensors.h"
#include "models/models.h"
#include "tests/support/onnx_bytes.h"

namespace loupe {
namespace {

const std::string kFolder = LOUPE_SOURCE_DIR "/tests/fixtures/onnx/";

Tensor stored(const std::string& name, const char* tensor) {
  return SafetensorsFile::open(kFolder + name + ".safetensors").tensor(tensor);
}

// The largest difference, relative to the largest number.
double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.numel() == b.numel());
  double most = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    most = std::max(most, std::abs(a.item(i) - b.item(i)));
    size = std::max(size, std::abs(b.item(i)));
  }
  return most / size;
}

// Maps (N, H, W, C) as the importer wants them.
Tensor as_maps(const Tensor& x) {
  const Shape s = x.shape();
  Tensor y(Dtype::f32, {s[0], s[3], s[1], s[2]});
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t w = i % s[2], h = i / s[2] % s[1], c = i / s[2] / s[1] % s[3], n = i / s[2] / s[1] / s[3];
    y.values<float>()[static_cast<size_t>(i)] =
        static_cast<float>(x.item(((n * s[1] + h) * s[2] + w) * s[3] + c));
  }
  return y;
}

Tensor computed(const std::string& name, const Tensor& x, Device device = Device::cpu()) {
  return onnx_bytes::run(onnx::read_model(kFolder + name + ".onnx"), x, {}, device);
}

std::vector<std::string> files() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".onnx") all.push_back(entry.path().stem().string());
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("the results are onnxruntime's, for every image of a batch") {
  const std::vector<std::string> names = files();
  CHECK(names.size() == 14);
  for (const std::string& name : names) {
    INFO(name);
    Tensor x = stored(name, "input");
    if (name == "channels_last") x = as_maps(x);
    const Tensor expected = stored(name, "output");
    const double tolerance = 2e-6;  // sums of at most some hundred terms in float32
    const Tensor y = computed(name, x);
    CHECK(difference(y, expected) < tolerance);
    CHECK(difference(computed(name, x, Device::ref()).to(Dtype::f32), expected) < tolerance);
    for (int64_t n = 0; n < x.shape()[0]; ++n) {
      const Tensor alone = computed(name, x.slice(n, n + 1));
      for (int64_t i = 0; i < alone.numel(); ++i) CHECK(alone.item(i) == y.item(n * alone.numel() + i));
    }
  }
}

TEST_CASE("a network that was written down for a batch of one runs with two") {
  for (const char* name : {"cnn_one", "vit_one"}) {
    INFO(name);
    onnx::Imported imported = onnx::import(onnx::read_model(kFolder + std::string(name) + ".onnx"));
    if (!imported.any_batch) continue;  // then it says so
    const Tensor one = stored(name, "input");
    const Tensor two = stack_rows(std::vector<Tensor>{one, one});
    const Tensor y = computed(name, two), alone = computed(name, one);
    for (int64_t i = 0; i < y.numel(); ++i) CHECK(y.item(i) == alone.item(i % alone.numel()));
  }
  CHECK(onnx::import(onnx::read_model(kFolder + "cnn_one.onnx")).any_batch);
}

TEST_CASE("a network that mixes its images runs with one at a time") {
  using namespace onnx_bytes;  // NOLINT
  const std::string io = value(11, "x", {0, 4}) + value(12, "y", {});
  // The sum over the batch; and its first image, written as a row of a matrix.
  for (const std::string& nodes :
       {node("ReduceSum", {"x", "a"}, {"y"}) + initializer(tensor_i64("a", {1}, {0})),
        node("Gather", {"x", "a"}, {"y"}) + initializer(tensor_i64("a", {1}, {0}))})
    CHECK_FALSE(onnx::import(parse(model(nodes + io))).any_batch);
  CHECK(onnx::import(parse(model(node("Relu", {"x"}, {"y"}) + io))).any_batch);
}

TEST_CASE("a file is a model: names, trunk, size, and scores before the softmax") {
  const Model cnn = models::build(kFolder + "cnn_one.onnx");
  CHECK(cnn.has_weights);
  CHECK(cnn.trunk == "/Concat_2");
  CHECK(cnn.graph.find("/stem/stem.0/Conv") > 0);
  CHECK(cnn.preprocessing.crop == 20);
  CHECK(cnn.graph.node(cnn.graph.output()).shape() == Shape{1, 5});
  // A batch norm behind a convolution is one, so that plans fold it.
  CHECK(cnn.graph.node(cnn.graph.find("/stem/stem.1/BatchNormalization")).op->kind().name == "batch_norm");

  ImageModel last = models::load(kFolder + "channels_last.onnx", {}, Device::cpu());
  REQUIRE(last.notes.size() == 1);
  CHECK(last.notes[0].find("Softmax, which is left off") != std::string::npos);
  CHECK(last.graph().input_shapes()[0] == Shape{1, 3, 17, 17});
  CHECK(last.trunk == "conv2");  // not the sum behind it, whose channels are last
  // No Transpose is left of the two that undo each other at the input.
  CHECK_FALSE(last.graph().try_find("to_maps"));
  const Tensor scores = last.logits(as_maps(stored("channels_last", "input")));
  const Tensor expected = stored("channels_last", "output");
  for (int64_t n = 0; n < 2; ++n) {
    double sum = 0;
    for (int64_t c = 0; c < 4; ++c) sum += std::exp(scores.item(n * 4 + c));
    for (int64_t c = 0; c < 4; ++c)
      CHECK(std::exp(scores.item(n * 4 + c)) / sum ==
            doctest::Approx(expected.item(n * 4 + c)).epsilon(1e-5));
  }

  // Gelu and LayerNormalization as older opsets write them are found again.
  const Model old = models::build(kFolder + "vit_old.onnx");
  const auto count = [&](std::string_view kind) {
    int found = 0;
    for (NodeId i = 0; i < old.graph.size(); ++i)
      found += old.graph.node(i).op && old.graph.node(i).op->kind().name == kind;
    return found;
  };
  CHECK(count("gelu") == 1);
  CHECK(count("layer_norm") == 2);

  const Model vit = models::build(kFolder + "vit_dynamo.onnx");
  CHECK(vit.graph.node(vit.graph.find(vit.trunk)).op->kind().name == "layer_norm");
  CHECK(vit.graph.node(vit.graph.find(vit.trunk)).shape() == Shape{1, 10, 8});

  ImageModel quantised = models::load(kFolder + "quantized.onnx", {}, Device::cpu());
  REQUIRE(quantised.notes.size() == 1);
  CHECK(quantised.notes[0].find("quantised") != std::string::npos);

  CHECK_THROWS_WITH_AS(models::build(kFolder + "cnn_one.onnx", {.classes = 7}),
                       doctest::Contains("has 5 classes, not 7"), UsageError);
  CHECK_THROWS_WITH_AS(models::load(kFolder + "cnn_one.onnx", "w.safetensors", Device::cpu()),
                       doctest::Contains("has its own weights"), UsageError);
  CHECK_THROWS_WITH_AS(models::build("/nowhere/net.onnx"), doctest::Contains("/nowhere/net.onnx"), Error);
}

}  // namespace loupe
