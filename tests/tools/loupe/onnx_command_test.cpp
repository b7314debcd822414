// `--model net.onnx` where an architecture's name goes: explain, layers, plan, evaluate; and what is said of
// files that will not do.
#include <doctest/doctest.h>

#include <algorithm>

#include "models/io/safetensors.h"
#include "tests/support/command.h"
#include "tests/support/onnx_bytes.h"

namespace loupe {
namespace {

using test::loupe;
using test::Said;

const std::string kNet = LOUPE_SOURCE_DIR "/tests/fixtures/onnx/cnn_one.onnx";
const std::string kPhoto = LOUPE_SOURCE_DIR "/tests/fixtures/images/rgb.jpg";

void refuses(const std::vector<std::string>& words, const std::string& part) {
  const Said said = loupe(words);
  CHECK(said.status > 0);
  CHECK_MESSAGE(said.err.find(part) != said.err.npos, said.err << " — expected: " << part);
  CHECK(std::ranges::count(said.err, '\n') == 1);
}

}  // namespace

TEST_CASE("explain: every method that suits it, at the graph's own size, at layers by the file's names") {
  const test::Folder folder;
  std::vector<std::string> words = test::quick_methods();
  words.insert(words.begin(),
               {"explain", kPhoto, "--model", kNet, "--method", "all", "--out", folder / "out", "--json"});
  const Said said = loupe(words);
  REQUIRE_MESSAGE(said.status == 0, said.err);
  const SafetensorsFile maps = SafetensorsFile::open(folder / "out/rgb/maps.safetensors");
  CHECK(maps.info("input").shape == Shape{3, 20, 20});
  CHECK(maps.info("logits").shape == Shape{5});
  for (const char* name :
       {"gradient", "guided_backprop", "integrated_gradients", "occlusion_logit", "grad_cam"})
    CHECK(maps.contains(name));
  const Said at = loupe({"explain", kPhoto, "--model", kNet, "--method", "grad_cam", "--grad_cam.layer",
                         "/stem/stem.0/Conv", "--out", folder / "at"});
  REQUIRE_MESSAGE(at.status == 0, at.err);
  CHECK(SafetensorsFile::open(folder / "at/rgb/maps.safetensors").metadata().at("grad_cam.layer") ==
        "/stem/stem.0/Conv");
  refuses({"explain", kPhoto, "--model", kNet, "--grad_cam.layer", "/stem/stem.0/Con", "--method", "grad_cam",
           "--out", folder / "no"},
          "did you mean");
}

TEST_CASE("a network that knows no batch is explained by long methods too") {
  using namespace onnx_bytes;  // NOLINT
  const test::Folder folder;
  test::write_text(folder / "net.onnx",
                   model(node("ReduceMax", {"x"}, {"m"}, attribute_ints("axes", {0})) +
                         node("Flatten", {"m"}, {"y"}) + value(11, "x", {1, 3, 4, 4}) + value(12, "y", {})));
  const Said said = loupe({"explain", kPhoto, "--model", folder / "net.onnx", "--method",
                           "integrated_gradients,occlusion", "--out", folder / "out"});
  REQUIRE_MESSAGE(said.status == 0, said.err);
  // The result is the input's largest number, so that its gradient is 1 there and 0 elsewhere, on all the way.
  const SafetensorsFile maps = SafetensorsFile::open(folder / "out/rgb/maps.safetensors");
  const Tensor x = maps.tensor("input"), map = maps.tensor("integrated_gradients");
  int64_t best = 0;
  double sum = 0;
  for (int64_t i = 0; i < map.numel(); ++i) sum += map.item(i);
  for (int64_t i = 0; i < x.numel(); ++i)
    if (x.item(i) > x.item(best)) best = i;
  CHECK(map.item(best) == doctest::Approx(sum));
}

TEST_CASE("layers and plan") {
  const Said layers = loupe({"layers", "--model", kNet});
  REQUIRE_MESSAGE(layers.status == 0, layers.err);
  CHECK(layers.out.find("/stem/stem.1/BatchNormalization") != std::string::npos);
  const Said plan = loupe({"plan", "--model", kNet, "--rule", "gradient"});
  REQUIRE_MESSAGE(plan.status == 0, plan.err);
  CHECK(plan.out.find("+norm") != std::string::npos);       // folded, as in an architecture of Loupe's own
  CHECK(plan.out.find("batch_norm") != std::string::npos);  // the one behind a product of maps
}

TEST_CASE("the version says whether files are read") {
  CHECK(loupe({"--version"}).out.find("onnx      files are read") != std::string::npos);
}

TEST_CASE("what will not do is one line") {
  using namespace onnx_bytes;  // NOLINT
  const test::Folder folder;
  const auto explain = [&](const std::string& bytes, const std::string& part) {
    test::write_text(folder / "net.onnx", bytes);
    refuses({"explain", kPhoto, "--model", folder / "net.onnx", "--out", folder / "out"}, part);
  };
  const std::string io = value(11, "x", {0, 3, 8, 8}) + value(12, "y", {});
  refuses({"explain", kPhoto, "--model", "/nowhere/net.onnx", "--out", folder / "out"},
          "'/nowhere/net.onnx'");
  refuses({"explain", kPhoto, "--model", kNet, "--weights", "w.safetensors", "--out", folder / "out"},
          "has its own weights");
  refuses({"explain", kPhoto, "--model", kNet, "--classes", "7", "--out", folder / "out"},
          "has 5 classes, not 7");
  refuses({"evaluate", "--model", kNet, "--count", "2"}, "has 5 classes, not 14");
  explain("<html>", "damaged, or no ONNX model");
  explain(model(node("GridSample", {"x", "x"}, {"y"}, "", "warp") + io), "GridSample (1 node: 'warp')");
  explain(model(node("Relu", {"x"}, {"y"}) + io), "one score a class");
  explain(model(node("Flatten", {"x"}, {"y"}) + value(11, "x", {0, 3}) + value(12, "y", {})),
          "is like (1, 3), got (1, 3, 224, 224)");
  explain(model(node("Add", {"x", "z"}, {"a"}) + node("Flatten", {"a"}, {"y"}) + io +
                value(11, "z", {1, 3, 8, 8})),
          "takes 2 input(s), got 1");
  explain(model(node("Reshape", {"x", "s"}, {"y"}) + initializer(tensor_i64("s", {2}, {4, 192})) +
                value(11, "x", {4, 3, 8, 8}) + value(12, "y", {})),
          "exported for a batch of 4: export it for one, or with an open batch");
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
}

}  // namespace loupe
