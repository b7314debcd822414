// GoogLeNet (Inception v1) with batch normalisation, without the auxiliary classifiers that only training
// uses. Its third branch has 3×3 filters as in torchvision, where the paper has 5×5.
#include "models/catalog/builder.h"

namespace loupe {
namespace {

NodeId conv_norm_relu(Builder& net, const std::string& module, NodeId x, Conv2d conv) {
  conv.bias = false;
  return net.chain(module, x, {{"conv", conv2d(conv)}, {"bn", batch_norm({.eps = 1e-3})}, {"relu", relu()}});
}

OpPtr ceil_pool(int64_t kernel, int64_t stride, int64_t padding = 0) {
  return max_pool2d({.kernel = kernel, .stride = stride, .padding = padding, .ceil_mode = true});
}

// Output channels of an inception module's convolutions.
struct Inception {
  std::string name;
  int64_t branch1, reduce2, branch2, reduce3, branch3, branch4;
};

NodeId inception(Builder& net, const Inception& m, NodeId x) {
  const auto conv = [&](const std::string& branch, NodeId from, int64_t channels, int64_t kernel) {
    return conv_norm_relu(net, m.name + "." + branch, from,
                          {.out_channels = channels, .kernel = kernel, .padding = kernel / 2});
  };
  const NodeId branch1 = conv("branch1", x, m.branch1, 1);
  const NodeId branch2 = conv("branch2.1", conv("branch2.0", x, m.reduce2, 1), m.branch2, 3);
  const NodeId branch3 = conv("branch3.1", conv("branch3.0", x, m.reduce3, 1), m.branch3, 3);
  const NodeId pooled = net.add(m.name + ".branch4.0", ceil_pool(3, 1, 1), x);
  const NodeId branch4 = conv("branch4.1", pooled, m.branch4, 1);
  return net.add(m.name + ".cat", concat(), {branch1, branch2, branch3, branch4});
}

Model googlenet(const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.transformed_input();
  x = conv_norm_relu(net, "conv1", x, {.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3});
  x = net.add("maxpool1", ceil_pool(3, 2), x);
  x = conv_norm_relu(net, "conv2", x, {.out_channels = 64, .kernel = 1});
  x = conv_norm_relu(net, "conv3", x, {.out_channels = 192, .kernel = 3, .padding = 1});
  x = net.add("maxpool2", ceil_pool(3, 2), x);
  x = inception(net, {"inception3a", 64, 96, 128, 16, 32, 32}, x);
  x = inception(net, {"inception3b", 128, 128, 192, 32, 96, 64}, x);
  x = net.add("maxpool3", ceil_pool(3, 2), x);
  x = inception(net, {"inception4a", 192, 96, 208, 16, 48, 64}, x);
  x = inception(net, {"inception4b", 160, 112, 224, 24, 64, 64}, x);
  x = inception(net, {"inception4c", 128, 128, 256, 24, 64, 64}, x);
  x = inception(net, {"inception4d", 112, 144, 288, 32, 64, 64}, x);
  x = inception(net, {"inception4e", 256, 160, 320, 32, 128, 128}, x);
  x = net.add("maxpool4", ceil_pool(2, 2), x);
  x = inception(net, {"inception5a", 256, 160, 320, 32, 128, 128}, x);
  x = inception(net, {"inception5b", 384, 192, 384, 48, 128, 128}, x);
  net.chain("", x,
            {
                {"avgpool", global_avg_pool2d()},
                {"flatten", flatten()},
                {"dropout", dropout(0.2)},
                {"fc", linear({.out_features = options.classes})},
            });
  Model model = std::move(net).model("inception5b");
  model.weight_names.training_only = {"aux1.", "aux2."};
  return model;
}

}  // namespace

extern const Family googlenet_family;
const Family googlenet_family{
    "GoogLeNet",
    "Szegedy et al. 2014, \"Going deeper with convolutions\"",
    {{"googlenet", googlenet, {.classes = 1000, .height = 224, .width = 224}, true}}};

}  // namespace loupe
