// MobileNetV2: inverted residuals widen the channels, filter each on its own, and narrow them again; where
// shapes agree the narrow ends are joined directly.
#include "kernels/elementwise/elementwise.h"
#include "models/catalog/builder.h"

namespace loupe {
namespace {

// Convolution, norm and activation, a module of three.
NodeId conv_norm_relu6(Builder& net, const std::string& module, NodeId x, Conv2d conv) {
  conv.bias = false;
  return net.sequential(module, x, {conv2d(conv), batch_norm(), relu6()});
}

struct Residual {
  int64_t expand, channels, stride;
};

NodeId inverted_residual(Builder& net, const std::string& module, NodeId x, const Residual& r) {
  int index = 0;
  const auto part = [&] { return module + ".conv." + std::to_string(index++); };
  const int64_t wide = net.channels(x) * r.expand;
  NodeId y = x;
  if (r.expand != 1) y = conv_norm_relu6(net, part(), y, {.out_channels = wide, .kernel = 1});
  y = conv_norm_relu6(net, part(), y,
                      {.out_channels = wide, .kernel = 3, .stride = r.stride, .padding = 1, .groups = wide});
  y = net.add(part(), conv2d({.out_channels = r.channels, .kernel = 1, .bias = false}), y);
  y = net.add(part(), batch_norm(), y);
  const bool joined = r.stride == 1 && net.channels(x) == r.channels;
  return joined ? net.add(module + ".add", add(), {x, y}) : y;
}

Model mobilenet_v2(const ModelOptions& options) {
  struct Stage {
    int64_t expand, channels;
    int repeat;
    int64_t stride;  // of its first block
  };
  const Stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                          {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};  // the paper's table 2
  Builder net(options);
  int index = 0;
  const auto part = [&] { return "features." + std::to_string(index++); };
  NodeId x = net.input();
  x = conv_norm_relu6(net, part(), x, {.out_channels = 32, .kernel = 3, .stride = 2, .padding = 1});
  for (const Stage& s : stages)
    for (int i = 0; i < s.repeat; ++i)
      x = inverted_residual(net, part(), x, {s.expand, s.channels, i == 0 ? s.stride : 1});
  x = conv_norm_relu6(net, part(), x, {.out_channels = 1280, .kernel = 1});
  x = net.add("adaptive_avg_pool2d", global_avg_pool2d(), x);
  x = net.add("flatten", flatten(), x);
  net.sequential("classifier", x, {dropout(0.2), linear({.out_features = options.classes})});
  return std::move(net).model("features.18");
}

}  // namespace

extern const Family mobilenet_family;
const Family mobilenet_family{
    "MobileNetV2",
    "Sandler et al. 2018, \"MobileNetV2: inverted residuals and linear bottlenecks\"",
    {{"mobilenet_v2", mobilenet_v2}}};

}  // namespace loupe
