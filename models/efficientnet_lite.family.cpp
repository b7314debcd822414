// EfficientNet-Lite: EfficientNets for small devices, without squeeze-and-excitation, with ReLU6 for SiLU and
// with a stem, a head and outer stages that do not grow with the network. Modules are named as in the PyTorch
// port efficientnet_lite_pytorch, whose weights TensorFlow trained: a stride of 2 pads as TensorFlow's "same"
// does, which may add a row more after the picture than before it.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pad/pad.h"
#include "models/catalog/blocks.h"

namespace loupe {
namespace {

struct EfficientNetLite {
  std::string name;
  double width, depth;  // factors of the inner stages' channels and repeats
  int64_t size;         // pixels of a picture's sides
  double dropout;
};

struct Stage {
  int64_t expand, kernel, stride;
  int64_t channels, repeats;
};
constexpr Stage kStages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                             {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

// TensorFlow's "same" gives ⌈size / stride⌉ outputs; of the cells that this takes, the odd one goes to the end.
Pad::Side same_padding(int axis, int64_t size, int64_t kernel, int64_t stride) {
  const int64_t outputs = (size + stride - 1) / stride;
  const int64_t cells = std::max<int64_t>((outputs - 1) * stride + kernel - size, 0);
  return {.axis = axis, .before = cells / 2, .after = cells - cells / 2};
}

// A convolution padded for the size that the network is built for, its batch norm, and ReLU6 where `function`
// names it.
NodeId padded_conv(Builder& net, const std::string& module, const std::string& conv, const std::string& norm,
                   const std::string& function, NodeId x, Conv2d c) {
  const Pad::Side rows = same_padding(2, net.shape(x)[2], c.kernel.h, c.stride.h);
  const Pad::Side columns = same_padding(3, net.shape(x)[3], c.kernel.w, c.stride.w);
  if (rows.before == rows.after && columns.before == columns.after)
    c.padding = Pair(rows.before, columns.before);
  else
    x = net.add(module + conv + ".static_padding", pad({.sides = {rows, columns}}), x);
  c.bias = false;
  x = net.add(module + conv, conv2d(c), x);
  x = net.add(module + norm, batch_norm({.eps = 1e-3}), x);
  return function.empty() ? x : net.add(module + function, relu6(), x);
}

NodeId inverted_residual(Builder& net, const std::string& module, NodeId x, const Stage& s) {
  const int64_t narrow = net.channels(x), wide = s.expand * narrow;
  const bool expands = s.expand != 1;
  NodeId y = x;
  if (expands)
    y = padded_conv(net, module, "_expand_conv", "_bn0", "_swish", y, {.out_channels = wide, .kernel = 1});
  y = padded_conv(net, module, "_depthwise_conv", "_bn1", expands ? "_swish_1" : "_swish", y,
                  {.out_channels = wide, .kernel = s.kernel, .stride = s.stride, .groups = wide});
  y = padded_conv(net, module, "_project_conv", "_bn2", "", y, {.out_channels = s.channels, .kernel = 1});
  const bool joined = s.stride == 1 && narrow == s.channels;
  return joined ? net.add(module + "add", add(), {y, x}) : y;
}

Model efficientnet_lite(const EfficientNetLite& e, const ModelOptions& options) {
  Builder net(options);
  NodeId x = padded_conv(net, "", "_conv_stem", "_bn0", "_swish", net.input(),
                         {.out_channels = 32, .kernel = 3, .stride = 2});
  int index = 0;
  for (size_t i = 0; i < std::size(kStages); ++i) {
    Stage s = kStages[i];
    s.channels = scaled_width(static_cast<double>(s.channels), e.width);
    if (i != 0 && i + 1 != std::size(kStages))
      s.repeats = static_cast<int64_t>(std::ceil(static_cast<double>(s.repeats) * e.depth));
    for (int64_t repeat = 0; repeat < s.repeats; ++repeat, s.stride = 1)
      x = inverted_residual(net, "_blocks." + std::to_string(index++) + ".", x, s);
  }
  x = padded_conv(net, "", "_conv_head", "_bn1", "_swish_1", x, {.out_channels = 1280, .kernel = 1});
  net.chain("", x,
            {
                {"_avg_pooling", global_avg_pool2d()},
                {"flatten", flatten()},
                {"_dropout", dropout(e.dropout)},
                {"_fc", linear({.out_features = options.classes})},
            });
  // As TensorFlow trained and tested them (efficientnet_lite_builder.py: mean 127 and deviation 128 of 255; a
  // margin of 32 pixels is cut off), not as the package's documentation says, with which they name less.
  constexpr float kMean = 127.0f / 255, kDeviation = 128.0f / 255;
  return std::move(net).model("_swish_1", {.resize = e.size + 32,
                                           .crop = e.size,
                                           .mean = {kMean, kMean, kMean},
                                           .std = {kDeviation, kDeviation, kDeviation},
                                           .bicubic = true});
}

const std::vector<EfficientNetLite> kTable{{"efficientnet_lite0", 1.0, 1.0, 224, 0.2},
                                           {"efficientnet_lite1", 1.0, 1.1, 240, 0.2},
                                           {"efficientnet_lite2", 1.1, 1.2, 260, 0.3},
                                           {"efficientnet_lite3", 1.2, 1.4, 280, 0.3},
                                           {"efficientnet_lite4", 1.4, 1.8, 300, 0.3}};

std::vector<Architecture> sizes() {
  std::vector<Architecture> all = architectures(kTable, efficientnet_lite);
  for (size_t i = 0; i < all.size(); ++i) all[i].standard.height = all[i].standard.width = kTable[i].size;
  return all;
}

}  // namespace

extern const Family efficientnet_lite_family;
const Family efficientnet_lite_family{
    "EfficientNet-Lite",
    "Liu 2020, \"Higher accuracy on vision models with EfficientNet-Lite\" (EfficientNet: Tan & Le 2019)",
    sizes()};

}  // namespace loupe
