// DenseNet: every layer of a block reads all maps that the block has made so far and appends a few of its
// own. Between blocks the channels and the map are halved.
#include <array>
#include <string_view>

#include "models/catalog/builder.h"

namespace loupe {
namespace {

struct DenseNet {
  std::string name;
  std::array<int, 4> blocks;  // layers of each
  int64_t growth = 32;        // maps that a layer appends
  int64_t first = 64;         // maps of the first convolution
};

OpPtr conv1x1(int64_t channels) { return conv2d({.out_channels = channels, .kernel = 1, .bias = false}); }

// Appends to what is there instead of joining all of a block's parts anew: the same values, fewer copies.
NodeId dense_block(Builder& net, const std::string& module, NodeId x, int layers, int64_t growth) {
  NodeId appended = -1;  // the maps that the last layer made
  for (int i = 1; i <= layers; ++i) {
    const std::string layer = module + ".denselayer" + std::to_string(i);
    if (i > 1) x = net.add(layer + ".cat", concat(), {x, appended});
    appended =
        net.chain(layer, x,
                  {
                      {"norm1", batch_norm()},
                      {"relu1", relu()},
                      {"conv1", conv1x1(4 * growth)},
                      {"norm2", batch_norm()},
                      {"relu2", relu()},
                      {"conv2", conv2d({.out_channels = growth, .kernel = 3, .padding = 1, .bias = false})},
                  });
  }
  return net.add(module + ".cat", concat(), {x, appended});
}

NodeId transition(Builder& net, const std::string& module, NodeId x) {
  return net.chain(module, x,
                   {
                       {"norm", batch_norm()},
                       {"relu", relu()},
                       {"conv", conv1x1(net.channels(x) / 2)},
                       {"pool", avg_pool2d({.kernel = 2, .stride = 2})},
                   });
}

// torchvision's own files still have the names of before 2017, with a dot: "denselayer1.norm.1.weight".
std::string current_name(const std::string& name) {
  static constexpr std::string_view kLayer = "denselayer", kDigits = "0123456789";
  const size_t layer = name.rfind(kLayer);
  if (layer == name.npos) return name;
  const size_t part = name.find_first_not_of(kDigits, layer + kLayer.size());
  if (part == name.npos || part == layer + kLayer.size()) return name;
  const std::string_view rest = std::string_view(name).substr(part);
  for (const std::string_view old : {".norm.1.", ".norm.2.", ".conv.1.", ".conv.2."})
    if (rest.starts_with(old)) return std::string(name).erase(part + 5, 1);
  return name;
}

Model densenet(const DenseNet& d, const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.chain(
      "features", net.input(),
      {
          {"conv0", conv2d({.out_channels = d.first, .kernel = 7, .stride = 2, .padding = 3, .bias = false})},
          {"norm0", batch_norm()},
          {"relu0", relu()},
          {"pool0", max_pool2d({.kernel = 3, .stride = 2, .padding = 1})},
      });
  for (size_t i = 0; i < d.blocks.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    x = dense_block(net, "features.denseblock" + number, x, d.blocks[i], d.growth);
    if (i + 1 < d.blocks.size()) x = transition(net, "features.transition" + number, x);
  }
  net.chain("", x,
            {
                {"features.norm5", batch_norm()},
                {"relu", relu()},
                {"adaptive_avg_pool2d", global_avg_pool2d()},
                {"flatten", flatten()},
                {"classifier", linear({.out_features = options.classes})},
            });
  Model model = std::move(net).model("relu");
  model.weight_names.current = current_name;
  return model;
}

const std::vector<DenseNet> kTable{
    {"densenet121", {6, 12, 24, 16}},
    {"densenet161", {6, 12, 36, 24}, 48, 96},
    {"densenet169", {6, 12, 32, 32}},
    {"densenet201", {6, 12, 48, 32}},
};

}  // namespace

extern const Family densenet_family;
const Family densenet_family{"DenseNet", "Huang et al. 2016, \"Densely connected convolutional networks\"",
                             architectures(kTable, densenet)};

}  // namespace loupe
