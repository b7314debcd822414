// Every method on whole architectures with formula weights, against maps by PyTorch in double that Captum
// confirmed (tests/oracle/make_method_goldens.py).
#include "tests/support/method_goldens.h"
#include "models/io/safetensors.h"
#include "models/models.h"

#include <doctest/doctest.h>

namespace loupe::test {
namespace {

void check(const std::string& name) {
  const SafetensorsFile file =
      SafetensorsFile::open(LOUPE_SOURCE_DIR "/tests/golden/methods/" + name + ".safetensors");
  const Shape& input = file.info("input").shape;
  const ModelOptions size{.height = input[2], .width = input[3]};
  Network ref = models::load(name, "formula", Device::ref(), size),
          cpu = models::load(name, "formula", Device::cpu(), size);
  // The file names the layer as a module, or with "<" the module's input.
  std::string layer = file.metadata().at("grad_cam_layer");
  const Graph& graph = ref.graph();
  if (layer.starts_with("<")) layer = graph.node(graph.node(graph.find(layer.substr(1))).inputs[0]).name;
  CHECK(graph.find(ref.trunk) == graph.find(layer));
  check_methods(ref, cpu,
                {.title = name,
                 .map = [&](const std::string& map) { return file.tensor(map); },
                 .target = std::stoll(file.metadata().at("class")),
                 .grad_cam_layer = layer,
                 .cam = file.contains("cam"),
                 .occlusion = {.window = 16, .stride = 8}},
                true);
}

TEST_CASE("methods meet PyTorch: squeezenet1_1") { check("squeezenet1_1"); }
TEST_CASE("methods meet PyTorch: resnet18") { check("resnet18"); }
TEST_CASE("methods meet PyTorch: vgg11_bn") { check("vgg11_bn"); }
TEST_CASE("methods meet PyTorch: mobilenet_v2") { check("mobilenet_v2"); }

}  // namespace
}  // namespace loupe::test
