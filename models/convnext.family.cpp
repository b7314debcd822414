// ConvNeXt: a residual network with a transformer's proportions. A block filters each channel on its own
// with 7×7 weights, then widens and narrows the channels of each pixel, and adds the result, scaled channel
// by channel, to its input.
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/transpose/transpose.h"
#include "models/catalog/builder.h"

namespace loupe {
namespace {

struct ConvNext {
  std::string name;
  int64_t width;   // channels of the first stage; every other stage has twice those of the one before
  int64_t depth;   // blocks of the third stage; the others have 3
  int64_t resize;  // pixels of a photograph's shorter side before 224×224 are cut out
};

OpPtr channel_norm() { return layer_norm({.channels = true, .eps = 1e-6}); }

NodeId block(Builder& net, const std::string& module, NodeId x) {
  const int64_t channels = net.channels(x);
  const NodeId scale = net.parameter(module + ".layer_scale", {channels, 1, 1}, ParameterSpec::Role::weight);
  NodeId y =
      net.sequential(module + ".block", x,
                     {
                         conv2d({.out_channels = channels, .kernel = 7, .padding = 3, .groups = channels}),
                         transpose({0, 2, 3, 1}),
                         layer_norm({.eps = 1e-6}),
                         linear({.out_features = 4 * channels}),
                         gelu(),
                         linear({.out_features = channels}),
                         transpose({0, 3, 1, 2}),
                     });
  y = net.add(module + ".mul", mul(), {y, scale});
  return net.add(module + ".add", add(), {y, x});
}

Model convnext(const ConvNext& c, const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.sequential("features.0", net.input(),
                            {conv2d({.out_channels = c.width, .kernel = 4, .stride = 4}), channel_norm()});
  for (int stage = 0; stage < 4; ++stage) {
    const std::string blocks = "features." + std::to_string(2 * stage + 1);
    for (int64_t i = 0; i < (stage == 2 ? c.depth : 3); ++i)
      x = block(net, blocks + "." + std::to_string(i), x);
    if (stage < 3)
      x = net.sequential(
          "features." + std::to_string(2 * stage + 2), x,
          {channel_norm(), conv2d({.out_channels = 2 * net.channels(x), .kernel = 2, .stride = 2})});
  }
  x = net.add("avgpool", global_avg_pool2d(), x);
  net.sequential("classifier", x, {channel_norm(), flatten(), linear({.out_features = options.classes})});
  return std::move(net).model("features.7", {.resize = c.resize});
}

const std::vector<ConvNext> kTable{{"convnext_tiny", 96, 9, 236},
                                   {"convnext_small", 96, 27, 230},
                                   {"convnext_base", 128, 27, 232},
                                   {"convnext_large", 192, 27, 232}};

}  // namespace

extern const Family convnext_family;
const Family convnext_family{"ConvNeXt", "Liu et al. 2022, \"A ConvNet for the 2020s\"",
                             architectures(kTable, convnext)};

}  // namespace loupe
