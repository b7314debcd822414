// DenseNet: every layer of a block reads all maps that the block has made so far and appends 32 of its own.
// Between blocks the channels and the map are halved.
#include <array>

#include "models/catalog/builder.h"

namespace loupe {
namespace {

constexpr int64_t kGrowth = 32, kBottleneck = 4 * kGrowth;

OpPtr conv1x1(int64_t channels) { return conv2d({.out_channels = channels, .kernel = 1, .bias = false}); }

// Appends to what is there instead of joining all of a block's parts anew: the same values, fewer copies.
NodeId dense_block(Builder& net, const std::string& module, NodeId x, int layers) {
  NodeId appended = -1;  // the maps that the last layer made
  for (int i = 1; i <= layers; ++i) {
    const std::string layer = module + ".denselayer" + std::to_string(i);
    if (i > 1) x = net.add(layer + ".cat", concat(), {x, appended});
    appended =
        net.chain(layer, x,
                  {
                      {"norm1", batch_norm()},
                      {"relu1", relu()},
                      {"conv1", conv1x1(kBottleneck)},
                      {"norm2", batch_norm()},
                      {"relu2", relu()},
                      {"conv2", conv2d({.out_channels = kGrowth, .kernel = 3, .padding = 1, .bias = false})},
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

Model densenet(const std::array<int, 4>& blocks, const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.chain(
      "features", net.input(),
      {
          {"conv0", conv2d({.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3, .bias = false})},
          {"norm0", batch_norm()},
          {"relu0", relu()},
          {"pool0", max_pool2d({.kernel = 3, .stride = 2, .padding = 1})},
      });
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    x = dense_block(net, "features.denseblock" + number, x, blocks[i]);
    if (i + 1 < blocks.size()) x = transition(net, "features.transition" + number, x);
  }
  net.chain("", x,
            {
                {"features.norm5", batch_norm()},
                {"relu", relu()},
                {"adaptive_avg_pool2d", global_avg_pool2d()},
                {"flatten", flatten()},
                {"classifier", linear({.out_features = options.classes})},
            });
  return std::move(net).model("relu");
}

Model densenet121(const ModelOptions& options) { return densenet({6, 12, 24, 16}, options); }

}  // namespace

extern const Family densenet_family;
const Family densenet_family{"DenseNet",
                             "Huang et al. 2016, \"Densely connected convolutional networks\"",
                             {{"densenet121", densenet121}}};

}  // namespace loupe
