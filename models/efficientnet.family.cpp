// EfficientNet: inverted residuals with squeeze-and-excitation, in eight sizes that grow in width, depth
// and picture together.
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "models/catalog/blocks.h"

namespace loupe {
namespace {

struct EfficientNet {
  std::string name;
  double width, depth;  // factors of the stages' channels and repeats
  int64_t crop;         // pixels of a picture's sides
  int64_t resize;       // of a photograph's shorter side before the picture is cut out
  double dropout;
  double eps = 1e-5;  // of the batch norms
};

struct Stage {  // of the paper's table 1
  int64_t expand, kernel, stride;
  int64_t channels, repeats;
};
constexpr Stage kStages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                             {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

NodeId inverted_residual(Builder& net, const std::string& module, NodeId x, const Stage& s, BatchNorm norm) {
  int index = 0;
  const auto part = [&] { return module + ".block." + std::to_string(index++); };
  const int64_t narrow = net.channels(x), wide = s.expand * narrow;
  NodeId y = x;
  if (s.expand != 1) y = conv_norm(net, part(), y, {.out_channels = wide, .kernel = 1}, silu(), norm);
  y = conv_norm(net, part(), y,
                {.out_channels = wide, .kernel = s.kernel, .stride = s.stride, .groups = wide}, silu(), norm);
  y = squeeze_excitation(net, part(), y, narrow / 4, silu(), sigmoid());
  y = conv_norm(net, part(), y, {.out_channels = s.channels, .kernel = 1}, nullptr, norm);
  const bool joined = s.stride == 1 && narrow == s.channels;
  return joined ? net.add(module + ".add", add(), {y, x}) : y;
}

Model efficientnet(const EfficientNet& e, const ModelOptions& options) {
  Builder net(options);
  const BatchNorm norm{.eps = e.eps};
  NodeId x = conv_norm(net, "features.0", net.input(),
                       {.out_channels = scaled_width(32, e.width), .kernel = 3, .stride = 2}, silu(), norm);
  int index = 1;
  for (Stage s : kStages) {
    const std::string module = "features." + std::to_string(index++) + ".";
    s.channels = scaled_width(static_cast<double>(s.channels), e.width);
    const auto repeats = static_cast<int64_t>(std::ceil(static_cast<double>(s.repeats) * e.depth));
    for (int64_t i = 0; i < repeats; ++i, s.stride = 1)
      x = inverted_residual(net, module + std::to_string(i), x, s, norm);
  }
  x = conv_norm(net, "features.8", x, {.out_channels = 4 * net.channels(x), .kernel = 1}, silu(), norm);
  x = net.add("avgpool", global_avg_pool2d(), x);
  x = net.add("flatten", flatten(), x);
  net.sequential("classifier", x, {dropout(e.dropout), linear({.out_features = options.classes})});
  return std::move(net).model("features.8", {.resize = e.resize, .crop = e.crop, .bicubic = true});
}

const std::vector<EfficientNet> kTable{
    {"efficientnet_b0", 1.0, 1.0, 224, 256, 0.2},       {"efficientnet_b1", 1.0, 1.1, 240, 256, 0.2},
    {"efficientnet_b2", 1.1, 1.2, 288, 288, 0.3},       {"efficientnet_b3", 1.2, 1.4, 300, 320, 0.3},
    {"efficientnet_b4", 1.4, 1.8, 380, 384, 0.4},       {"efficientnet_b5", 1.6, 2.2, 456, 456, 0.4, 1e-3},
    {"efficientnet_b6", 1.8, 2.6, 528, 528, 0.5, 1e-3}, {"efficientnet_b7", 2.0, 3.1, 600, 600, 0.5, 1e-3}};

std::vector<Architecture> sizes() {
  std::vector<Architecture> all = architectures(kTable, efficientnet);
  for (size_t i = 0; i < all.size(); ++i) all[i].standard.height = all[i].standard.width = kTable[i].crop;
  return all;
}

}  // namespace

extern const Family efficientnet_family;
const Family efficientnet_family{
    "EfficientNet",
    "Tan & Le 2019, \"EfficientNet: rethinking model scaling for convolutional neural networks\"", sizes()};

}  // namespace loupe
