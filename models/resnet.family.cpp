// ResNet: blocks of convolutions around which the signal also passes directly. A bottleneck block narrows the
// channels by four around its 3×3 convolution, which carries the stride (torchvision's "v1.5"; the paper
// strides the 1×1 before it).
#include <array>

#include "models/catalog/builder.h"

namespace loupe {
namespace {

OpPtr conv(int64_t channels, int64_t kernel, int64_t stride = 1) {
  return conv2d(
      {.out_channels = channels, .kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false});
}

// The direct path: the input itself where shapes agree, else a strided 1×1 convolution; then their sum.
NodeId join(Builder& net, const std::string& module, NodeId x, NodeId branch, int64_t channels,
            int64_t stride) {
  if (stride != 1 || net.channels(x) != channels)
    x = net.sequential(module + ".downsample", x, {conv(channels, 1, stride), batch_norm()});
  return net.add(module + ".add", add(), {branch, x});
}

NodeId basic_block(Builder& net, const std::string& module, NodeId x, int64_t width, int64_t stride) {
  const NodeId branch = net.chain(module, x,
                                  {
                                      {"conv1", conv(width, 3, stride)},
                                      {"bn1", batch_norm()},
                                      {"relu", relu()},
                                      {"conv2", conv(width, 3)},
                                      {"bn2", batch_norm()},
                                  });
  return net.add(module + ".relu_1", relu(), join(net, module, x, branch, width, stride));
}

NodeId bottleneck_block(Builder& net, const std::string& module, NodeId x, int64_t width, int64_t stride) {
  const NodeId branch = net.chain(module, x,
                                  {
                                      {"conv1", conv(width, 1)},
                                      {"bn1", batch_norm()},
                                      {"relu", relu()},
                                      {"conv2", conv(width, 3, stride)},
                                      {"bn2", batch_norm()},
                                      {"relu_1", relu()},
                                      {"conv3", conv(4 * width, 1)},
                                      {"bn3", batch_norm()},
                                  });
  return net.add(module + ".relu_2", relu(), join(net, module, x, branch, 4 * width, stride));
}

using Block = NodeId (*)(Builder&, const std::string&, NodeId, int64_t width, int64_t stride);
using Depths = std::array<int, 4>;  // blocks in each layer

Model resnet(Block block, const Depths& depths, const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.chain("", net.input(),
                       {
                           {"conv1", conv(64, 7, 2)},
                           {"bn1", batch_norm()},
                           {"relu", relu()},
                           {"maxpool", max_pool2d({.kernel = 3, .stride = 2, .padding = 1})},
                       });
  for (size_t layer = 0; layer < depths.size(); ++layer)
    for (int i = 0; i < depths[layer]; ++i) {
      const std::string module = "layer" + std::to_string(layer + 1) + "." + std::to_string(i);
      x = block(net, module, x, int64_t{64} << layer, layer > 0 && i == 0 ? 2 : 1);
    }
  net.chain("", x,
            {
                {"avgpool", global_avg_pool2d()},
                {"flatten", flatten()},
                {"fc", linear({.out_features = options.classes})},
            });
  return std::move(net).model("layer4");
}

Architecture architecture(const std::string& name, Block block, const Depths& depths) {
  return {name, [=](const ModelOptions& options) { return resnet(block, depths, options); }};
}

}  // namespace

extern const Family resnet_family;
const Family resnet_family{"ResNet",
                           "He et al. 2015, \"Deep residual learning for image recognition\"",
                           {
                               architecture("resnet18", basic_block, {2, 2, 2, 2}),
                               architecture("resnet34", basic_block, {3, 4, 6, 3}),
                               architecture("resnet50", bottleneck_block, {3, 4, 6, 3}),
                               architecture("resnet101", bottleneck_block, {3, 4, 23, 3}),
                               architecture("resnet152", bottleneck_block, {3, 8, 36, 3}),
                           }};

}  // namespace loupe
