// ShuffleNetV2: half of the channels pass a block as they are, the other half are filtered, and then the
// halves are shuffled into each other, so that the next block splits them anew.
#include <array>

#include "kernels/elementwise/elementwise.h"
#include "kernels/reduce/reduce.h"
#include "kernels/reshape/reshape.h"
#include "kernels/slice/slice.h"
#include "kernels/transpose/transpose.h"
#include "models/catalog/builder.h"

namespace loupe {
namespace {

struct ShuffleNet {
  std::string name;
  std::array<int64_t, 5> widths;  // channels of conv1, the three stages, and conv5
};

OpPtr conv1x1(int64_t channels) { return conv2d({.out_channels = channels, .kernel = 1, .bias = false}); }
OpPtr depthwise(int64_t channels, int64_t stride) {
  return conv2d({.out_channels = channels,
                 .kernel = 3,
                 .stride = stride,
                 .padding = 1,
                 .groups = channels,
                 .bias = false});
}

// Channel i of the first half, channel i of the second, and so on.
NodeId shuffle(Builder& net, const std::string& module, NodeId x) {
  return net.chain(module, x,
                   {
                       {"view", reshape({0, 2, -1, 0, 0})},
                       {"transpose", transpose({0, 2, 1, 3, 4})},
                       {"view_1", reshape({0, -1, 0, 0})},
                   });
}

NodeId block(Builder& net, const std::string& module, NodeId x, int64_t channels, int64_t stride) {
  const int64_t half = channels / 2;
  NodeId first, second = x;
  if (stride == 1) {
    first = net.add(module + ".getitem", slice({.axis = 1, .begin = 0, .end = half}), x);
    second = net.add(module + ".getitem_1", slice({.axis = 1, .begin = half, .end = channels}), x);
  } else {
    first = net.sequential(
        module + ".branch1", x,
        {depthwise(net.channels(x), stride), batch_norm(), conv1x1(half), batch_norm(), relu()});
  }
  second = net.sequential(module + ".branch2", second,
                          {conv1x1(half), batch_norm(), relu(), depthwise(half, stride), batch_norm(),
                           conv1x1(half), batch_norm(), relu()});
  return shuffle(net, module, net.add(module + ".cat", concat(), {first, second}));
}

Model shufflenet(const ShuffleNet& s, const ModelOptions& options) {
  const auto& widths = s.widths;
  Builder net(options);
  NodeId x = net.sequential(
      "conv1", net.input(),
      {conv2d({.out_channels = widths[0], .kernel = 3, .stride = 2, .padding = 1, .bias = false}),
       batch_norm(), relu()});
  x = net.add("maxpool", max_pool2d({.kernel = 3, .stride = 2, .padding = 1}), x);
  for (size_t stage = 0; stage < 3; ++stage)
    for (int i = 0; i < (stage == 1 ? 8 : 4); ++i)
      x = block(net, "stage" + std::to_string(stage + 2) + "." + std::to_string(i), x, widths[stage + 1],
                i == 0 ? 2 : 1);
  x = net.sequential("conv5", x, {conv1x1(widths[4]), batch_norm(), relu()});
  x = net.add("mean", reduce({.kind = Reduce::Kind::mean, .axes = {2, 3}}), x);
  net.add("fc", linear({.out_features = options.classes}), x);
  return std::move(net).model("conv5");
}

const std::vector<ShuffleNet> kTable{
    {"shufflenet_v2_x0_5", {24, 48, 96, 192, 1024}},
    {"shufflenet_v2_x1_0", {24, 116, 232, 464, 1024}},
    {"shufflenet_v2_x1_5", {24, 176, 352, 704, 1024}},
    {"shufflenet_v2_x2_0", {24, 244, 488, 976, 2048}},
};

}  // namespace

extern const Family shufflenet_family;
const Family shufflenet_family{
    "ShuffleNetV2",
    "Ma et al. 2018, \"ShuffleNet V2: practical guidelines for efficient CNN architecture design\"",
    architectures(kTable, shufflenet)};

}  // namespace loupe
