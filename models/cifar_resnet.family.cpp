// ResNets for the ten classes of CIFAR-10, section 4.2 of the paper: three layers of basic blocks on maps of
// 32×32, 16×16 and 8×8. Where a layer begins with a stride, the direct path has no parameters (the paper's
// option A): it takes every second pixel, and zeros stand in for the channels that it lacks, half of them
// before its own and half behind. Modules are named as in akamaster's pytorch_resnet_cifar10, which also says
// how pictures are prepared.
#include "kernels/pad/pad.h"
#include "kernels/slice/slice.h"
#include "models/catalog/builder.h"

namespace loupe {
namespace {

struct CifarResNet {
  std::string name;
  int blocks;  // in each layer: the network is 6·blocks + 2 deep
};

OpPtr conv(int64_t channels, int64_t stride) {
  return conv2d({.out_channels = channels, .kernel = 3, .stride = stride, .padding = 1, .bias = false});
}

// Where rows and columns are skipped, torch.fx calls it "getitem".
NodeId shortcut(Builder& net, const std::string& module, NodeId x, int64_t channels, int64_t stride) {
  const int64_t missing = channels - net.channels(x);
  if (stride == 1 && missing == 0) return x;
  return net.chain(module, x,
                   {
                       {"getitem", slice({.axis = 2, .step = stride})},
                       {"getitem_1", slice({.axis = 3, .step = stride})},
                       {"pad", pad({.sides = {{.axis = 1, .before = missing / 2, .after = missing / 2}}})},
                   });
}

NodeId basic_block(Builder& net, const std::string& module, NodeId x, int64_t channels, int64_t stride) {
  const NodeId branch = net.chain(module, x,
                                  {
                                      {"conv1", conv(channels, stride)},
                                      {"bn1", batch_norm()},
                                      {"relu", relu()},
                                      {"conv2", conv(channels, 1)},
                                      {"bn2", batch_norm()},
                                  });
  x = shortcut(net, module, x, channels, stride);
  x = net.add(module + ".add", add(), {branch, x});
  return net.add(module + ".relu_1", relu(), x);
}

Model cifar_resnet(const CifarResNet& r, const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.chain("", net.input(), {{"conv1", conv(16, 1)}, {"bn1", batch_norm()}, {"relu", relu()}});
  for (int layer = 0; layer < 3; ++layer)
    for (int i = 0; i < r.blocks; ++i)
      x = basic_block(net, "layer" + std::to_string(layer + 1) + "." + std::to_string(i), x,
                      int64_t{16} << layer, layer > 0 && i == 0 ? 2 : 1);
  net.chain("", x,
            {
                {"avgpool", global_avg_pool2d()},
                {"flatten", flatten()},
                {"linear", linear({.out_features = options.classes})},
            });
  Model model = std::move(net).model("layer3", {.resize = 32, .crop = 32});
  model.labels = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  return model;
}

const std::vector<CifarResNet> kTable{
    {"resnet20", 3}, {"resnet32", 5}, {"resnet44", 7}, {"resnet56", 9}, {"resnet110", 18}};

std::vector<Architecture> for_cifar() {
  std::vector<Architecture> all = architectures(kTable, cifar_resnet);
  for (Architecture& a : all) a.standard = {.classes = 10, .height = 32, .width = 32};
  return all;
}

}  // namespace

extern const Family cifar_resnet_family;
const Family cifar_resnet_family{
    "ResNet for CIFAR", "He et al. 2015, \"Deep residual learning for image recognition\", section 4.2",
    for_cifar()};

}  // namespace loupe
