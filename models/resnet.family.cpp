// ResNet: blocks of convolutions around which the signal also passes directly. A bottleneck block narrows
// the channels by four around its 3×3 convolution, which carries the stride (torchvision's "v1.5"; the
// paper strides the 1×1 before it). ResNeXt splits that 3×3 into groups and has more of its channels (Xie et
// al. 2016, "Aggregated residual transformations for deep neural networks"); a wide ResNet has more channels
// there without groups (Zagoruyko & Komodakis 2016, "Wide residual networks").
#include <array>

#include "models/catalog/builder.h"

namespace loupe {
namespace {

OpPtr conv(int64_t channels, int64_t kernel, int64_t stride = 1, int64_t groups = 1) {
  return conv2d({.out_channels = channels,
                 .kernel = kernel,
                 .stride = stride,
                 .padding = kernel / 2,
                 .groups = groups,
                 .bias = false});
}

using Depths = std::array<int, 4>;  // blocks in each layer

struct ResNet {
  std::string name;
  Depths depths;
  bool bottleneck = true;
  int64_t groups = 1;  // of a bottleneck's 3×3, and the channels of one where a layer is 64 wide
  int64_t group_width = 64;
};

// Where a block stands: the layer's width, and how the block strides.
struct Place {
  std::string module;
  int64_t width, stride;
};

// The direct path: the input itself where shapes agree, else a strided 1×1 convolution; then their sum.
NodeId join(Builder& net, const std::string& module, NodeId x, NodeId branch, int64_t channels,
            int64_t stride) {
  if (stride != 1 || net.channels(x) != channels)
    x = net.sequential(module + ".downsample", x, {conv(channels, 1, stride), batch_norm()});
  return net.add(module + ".add", add(), {branch, x});
}

NodeId basic_block(Builder& net, NodeId x, const Place& place) {
  const auto& [module, width, stride] = place;
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

NodeId bottleneck_block(Builder& net, NodeId x, const Place& place, const ResNet& r) {
  const auto& [module, width, stride] = place;
  const int64_t inner = width * r.group_width / 64 * r.groups;
  const NodeId branch = net.chain(module, x,
                                  {
                                      {"conv1", conv(inner, 1)},
                                      {"bn1", batch_norm()},
                                      {"relu", relu()},
                                      {"conv2", conv(inner, 3, stride, r.groups)},
                                      {"bn2", batch_norm()},
                                      {"relu_1", relu()},
                                      {"conv3", conv(4 * width, 1)},
                                      {"bn3", batch_norm()},
                                  });
  return net.add(module + ".relu_2", relu(), join(net, module, x, branch, 4 * width, stride));
}

Model resnet(const ResNet& r, const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.chain("", net.input(),
                       {
                           {"conv1", conv(64, 7, 2)},
                           {"bn1", batch_norm()},
                           {"relu", relu()},
                           {"maxpool", max_pool2d({.kernel = 3, .stride = 2, .padding = 1})},
                       });
  for (size_t layer = 0; layer < r.depths.size(); ++layer)
    for (int i = 0; i < r.depths[layer]; ++i) {
      const Place place{"layer" + std::to_string(layer + 1) + "." + std::to_string(i), int64_t{64} << layer,
                        layer > 0 && i == 0 ? 2 : 1};
      x = r.bottleneck ? bottleneck_block(net, x, place, r) : basic_block(net, x, place);
    }
  net.chain("", x,
            {
                {"avgpool", global_avg_pool2d()},
                {"flatten", flatten()},
                {"fc", linear({.out_features = options.classes})},
            });
  return std::move(net).model("layer4");
}

const std::vector<ResNet> kTable{
    {"resnet18", {2, 2, 2, 2}, false},
    {"resnet34", {3, 4, 6, 3}, false},
    {"resnet50", {3, 4, 6, 3}},
    {"resnet101", {3, 4, 23, 3}},
    {"resnet152", {3, 8, 36, 3}},
    {"resnext50_32x4d", {3, 4, 6, 3}, true, 32, 4},
    {"resnext101_32x8d", {3, 4, 23, 3}, true, 32, 8},
    {"resnext101_64x4d", {3, 4, 23, 3}, true, 64, 4},
    {"wide_resnet50_2", {3, 4, 6, 3}, true, 1, 128},
    {"wide_resnet101_2", {3, 4, 23, 3}, true, 1, 128},
};

}  // namespace

extern const Family resnet_family;
const Family resnet_family{
    "ResNet",
    "He et al. 2015, \"Deep residual learning for image recognition\" (ResNeXt: Xie et al. 2016; wide: "
    "Zagoruyko 2016)",
    architectures(kTable, resnet)};

}  // namespace loupe
