// SqueezeNet: fire modules squeeze the channels with a 1×1 convolution, then expand them with 1×1 and 3×3
// ones side by side. Version 1.1 pools earlier and needs 2.4 times less computation. The head is a
// convolution to the classes, then global average pooling.
#include <array>

#include "models/catalog/builder.h"

namespace loupe {
namespace {

NodeId fire(Builder& net, const std::string& module, NodeId x, int64_t squeeze, int64_t expand) {
  const auto conv_relu = [&](const std::string& name, NodeId from, const Conv2d& conv) {
    return net.chain(module, from, {{name, conv2d(conv)}, {name + "_activation", relu()}});
  };
  x = conv_relu("squeeze", x, {.out_channels = squeeze, .kernel = 1});
  const NodeId one = conv_relu("expand1x1", x, {.out_channels = expand, .kernel = 1});
  const NodeId three = conv_relu("expand3x3", x, {.out_channels = expand, .kernel = 3, .padding = 1});
  return net.add(module + ".cat", concat(), {one, three});
}

// Fire modules features.3 to features.12, with a pool at the two places in `pools`.
Model squeezenet(const Conv2d& first, const std::array<int, 2>& pools, const ModelOptions& options) {
  const OpPtr pool = max_pool2d({.kernel = 3, .stride = 2, .ceil_mode = true});
  const std::pair<int64_t, int64_t> widths[] = {{16, 64},  {16, 64},  {32, 128}, {32, 128},
                                                {48, 192}, {48, 192}, {64, 256}, {64, 256}};
  Builder net(options);
  NodeId x = net.sequential("features", net.input(), {conv2d(first), relu(), pool});
  int index = 3;
  for (const auto& [squeeze, expand] : widths) {
    if (index == pools[0] || index == pools[1]) x = net.add("features." + std::to_string(index++), pool, x);
    x = fire(net, "features." + std::to_string(index++), x, squeeze, expand);
  }
  x = net.sequential("classifier", x,
                     {
                         dropout(0.5),
                         conv2d({.out_channels = options.classes, .kernel = 1}),
                         relu(),
                         global_avg_pool2d(),
                     });
  net.add("flatten", flatten(), x);
  return std::move(net).model("features.12");
}

Model squeezenet1_0(const ModelOptions& options) {
  return squeezenet({.out_channels = 96, .kernel = 7, .stride = 2}, {6, 11}, options);
}

Model squeezenet1_1(const ModelOptions& options) {
  return squeezenet({.out_channels = 64, .kernel = 3, .stride = 2}, {5, 8}, options);
}

}  // namespace

extern const Family squeezenet_family;
const Family squeezenet_family{"SqueezeNet",
                               "Iandola et al. 2016, \"SqueezeNet: AlexNet-level accuracy with 50x fewer "
                               "parameters and <0.5MB model size\"",
                               {{"squeezenet1_0", squeezenet1_0}, {"squeezenet1_1", squeezenet1_1}}};

}  // namespace loupe
