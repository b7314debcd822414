// Every architecture has torchvision's nodes and parameters, by name, shape and order
// (tests/oracle/make_structure_golden.py).
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "models/models.h"

namespace loupe {
namespace {

using nlohmann::json;

struct List {
  std::string text;
  size_t count = 0;
  void line(const std::string& name, const Shape& shape) {
    text += name + " " + shape.str() + "\n";
    ++count;
  }
  std::string hash() const {  // FNV-1a
    uint64_t h = 0xCBF29CE484222325;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(h));
    return hex;
  }
};

void check(const List& ours, const json& golden, const std::string& hint) {
  INFO("torchvision's list: make_structure_golden.py --list " << hint << "\nours:\n" << ours.text);
  CHECK(ours.count == golden["count"].get<size_t>());
  CHECK(ours.hash() == golden["hash"].get<std::string>());
}

json goldens() {
  std::ifstream file(LOUPE_SOURCE_DIR "/tests/golden/structure.json");
  return json::parse(file);
}

TEST_CASE("every architecture has its golden, and every golden its architecture") {
  std::set<std::string> ours, theirs;
  for (const std::string& name : models::names()) ours.insert(name);
  for (const json& g : goldens()) theirs.insert(g["name"].get<std::string>());
  CHECK(ours == theirs);
  CHECK(models::names().size() == ours.size());
}

TEST_CASE("parameters: names, shapes and order") {
  for (const json& g : goldens()) {
    const auto name = g["name"].get<std::string>();
    CAPTURE(name);
    List list;
    int64_t elements = 0;
    const Graph graph = models::build(name).graph;
    for (const NodeId p : graph.parameters()) {
      list.line(graph.node(p).name, graph.node(p).shape());
      elements += graph.node(p).shape().numel();
    }
    CHECK(elements == g["parameters"]["elements"].get<int64_t>());
    check(list, g["parameters"], name);
  }
}

TEST_CASE("nodes: names, shapes and order, also of a small oblong input") {
  for (const json& g : goldens()) {
    const auto name = g["name"].get<std::string>();
    for (const json& nodes : g["nodes"]) {
      const auto size = nodes["input"].get<std::vector<int64_t>>();
      CAPTURE(name);
      CAPTURE(size[0]);
      const Graph graph = models::build(name, {.height = size[0], .width = size[1]}).graph;
      List list;
      for (NodeId n = 0; n < graph.size(); ++n)
        if (!graph.node(n).is_weight()) list.line(graph.node(n).name, graph.node(n).shape());
      check(list, nodes, name + " " + std::to_string(size[0]) + " " + std::to_string(size[1]));
    }
  }
}

TEST_CASE("a module's name finds the module's output") {
  const auto found = [](const std::string& model, const std::string& layer) {
    const Graph graph = models::build(model).graph;
    return graph.node(graph.find(layer)).name;
  };
  CHECK(found("squeezenet1_1", "features.3") == "features.3.cat");
  CHECK(found("squeezenet1_1", "features.12") == "features.12.cat");
  CHECK(found("squeezenet1_1", "features.1") == "features.1");
  CHECK(found("squeezenet1_1", "classifier") == "classifier.3");
  CHECK(found("resnet18", "layer4") == "layer4.1.relu_1");
  CHECK(found("resnet50", "layer1.0") == "layer1.0.relu_2");
  CHECK(found("resnet50", "layer1.0.downsample") == "layer1.0.downsample.1");
  CHECK(found("densenet121", "features.denseblock1") == "features.denseblock1.cat");
  CHECK(found("densenet121", "features.denseblock1.denselayer1") == "features.denseblock1.denselayer1.conv2");
  CHECK(found("googlenet", "inception4c") == "inception4c.cat");
  CHECK(found("googlenet", "inception4c.branch2") == "inception4c.branch2.1.relu");
  CHECK(found("mobilenet_v2", "features.3") == "features.3.add");
  CHECK(found("mobilenet_v2", "features.18") == "features.18.2");
  CHECK(found("efficientnet_b0", "features.2.0.block.2") == "features.2.0.block.2.mul");
  CHECK(found("regnet_y_400mf", "trunk_output.block1") == "trunk_output.block1.block1-0.activation");
  CHECK(found("shufflenet_v2_x1_0", "stage2.0") == "stage2.0.view_1");
  CHECK(found("convnext_tiny", "features.1.0") == "features.1.0.add");
  CHECK(found("vit_b_16", "encoder.layers.encoder_layer_3") == "encoder.layers.encoder_layer_3.add_1");
  CHECK(found("vit_b_16", "encoder.layers.encoder_layer_3.self_attention") ==
        "encoder.layers.encoder_layer_3.self_attention.out_proj");
}

TEST_CASE("the trunk ends with the last maps before the head") {
  const std::pair<const char*, Shape> trunks[] = {{"alexnet", {1, 256, 13, 13}},
                                                  {"zfnet", {1, 256, 13, 13}},
                                                  {"vgg11", {1, 512, 14, 14}},
                                                  {"vgg16", {1, 512, 14, 14}},
                                                  {"vgg19_bn", {1, 512, 14, 14}},
                                                  {"resnet18", {1, 512, 7, 7}},
                                                  {"resnet152", {1, 2048, 7, 7}},
                                                  {"squeezenet1_0", {1, 512, 13, 13}},
                                                  {"squeezenet1_1", {1, 512, 13, 13}},
                                                  {"googlenet", {1, 1024, 7, 7}},
                                                  {"densenet121", {1, 1024, 7, 7}},
                                                  {"mobilenet_v2", {1, 1280, 7, 7}},
                                                  {"densenet161", {1, 2208, 7, 7}},
                                                  {"resnext50_32x4d", {1, 2048, 7, 7}},
                                                  {"inception_v3", {1, 2048, 8, 8}},
                                                  {"mnasnet0_5", {1, 1280, 7, 7}},
                                                  {"shufflenet_v2_x2_0", {1, 2048, 7, 7}},
                                                  {"mobilenet_v3_small", {1, 576, 7, 7}},
                                                  {"efficientnet_b4", {1, 1792, 12, 12}},
                                                  {"regnet_x_8gf", {1, 1920, 7, 7}},
                                                  {"convnext_tiny", {1, 768, 7, 7}},
                                                  {"vit_b_16", {1, 197, 768}},
                                                  {"vit_l_32", {1, 50, 1024}}};
  for (const auto& [name, shape] : trunks) {
    CAPTURE(name);
    const Model model = models::build(name);
    const Node& node = model.graph.node(model.graph.find(model.trunk));
    CHECK(node.shape().str() == shape.str());
    CHECK(node.op->kind().name != "max_pool2d");
  }
  CHECK(models::build("vgg16").trunk == "features.29");
}

TEST_CASE("other class counts and sizes; sizes that are too small; unknown names") {
  const Model small = models::build("resnet18", {.classes = 10, .height = 64, .width = 64});
  CHECK(small.graph.node(small.graph.output()).shape() == Shape{1, 10});
  CHECK(small.preprocessing.crop == 64);
  CHECK(small.preprocessing.resize == 73);
  const auto prepared = [](const std::string& name, int64_t side = 0) {
    const Preprocessing p = models::build(name, {.height = side, .width = side}).preprocessing;
    return std::pair(p.resize, p.crop);
  };
  CHECK(prepared("inception_v3") == std::pair<int64_t, int64_t>(342, 299));
  CHECK(prepared("inception_v3", 150) == std::pair<int64_t, int64_t>(172, 150));
  CHECK(prepared("efficientnet_b3") == std::pair<int64_t, int64_t>(320, 300));
  CHECK(prepared("convnext_tiny") == std::pair<int64_t, int64_t>(236, 224));
  CHECK_THROWS_AS(models::build("alexnet", {.height = 30, .width = 30}), UsageError);
  CHECK_THROWS_WITH_AS(models::build("vit_b_16", {.height = 230, .width = 224}),
                       "vit_b_16 cuts pictures into patches of 16 pixels, which do not fill 230x224",
                       UsageError);
  CHECK_THROWS_WITH_AS(models::build("resnet8"),
                       doctest::Contains("there is no model 'resnet8'; did you mean 'resnet18'"), UsageError);
  CHECK_THROWS_AS(models::build(""), UsageError);
}

}  // namespace
}  // namespace loupe
