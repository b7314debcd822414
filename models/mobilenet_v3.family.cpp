// MobileNetV3: MobileNetV2's inverted residuals, found by search: some with squeeze-and-excitation, the
// later ones with hard-swish instead of ReLU, which needs no exponential.
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "models/catalog/blocks.h"

namespace loupe {
namespace {

constexpr BatchNorm kNorm{.eps = 1e-3};

struct Residual {
  int64_t kernel, wide, channels;
  bool squeeze;
  bool hard;  // hard-swish instead of ReLU
  int64_t stride;
};

NodeId inverted_residual(Builder& net, const std::string& module, NodeId x, const Residual& r) {
  int index = 0;
  const auto part = [&] { return module + ".block." + std::to_string(index++); };
  const OpPtr function = r.hard ? hard_swish() : relu();
  NodeId y = x;
  if (r.wide != net.channels(x))
    y = conv_norm(net, part(), y, {.out_channels = r.wide, .kernel = 1}, function, kNorm);
  y = conv_norm(net, part(), y,
                {.out_channels = r.wide, .kernel = r.kernel, .stride = r.stride, .groups = r.wide}, function,
                kNorm);
  if (r.squeeze)
    y = squeeze_excitation(net, part(), y, scaled_width(static_cast<double>(r.wide), 0.25), relu(),
                           hard_sigmoid());
  y = conv_norm(net, part(), y, {.out_channels = r.channels, .kernel = 1}, nullptr, kNorm);
  const bool joined = r.stride == 1 && net.channels(x) == r.channels;
  return joined ? net.add(module + ".add", add(), {y, x}) : y;
}

Model mobilenet_v3(const std::vector<Residual>& residuals, int64_t hidden, const ModelOptions& options) {
  Builder net(options);
  int index = 0;
  const auto part = [&] { return "features." + std::to_string(index++); };
  NodeId x = net.input();
  x = conv_norm(net, part(), x, {.out_channels = 16, .kernel = 3, .stride = 2}, hard_swish(), kNorm);
  for (const Residual& r : residuals) x = inverted_residual(net, part(), x, r);
  const std::string last = part();
  x = conv_norm(net, last, x, {.out_channels = 6 * net.channels(x), .kernel = 1}, hard_swish(), kNorm);
  x = net.add("avgpool", global_avg_pool2d(), x);
  x = net.add("flatten", flatten(), x);
  net.sequential("classifier", x,
                 {
                     linear({.out_features = hidden}),
                     hard_swish(),
                     dropout(0.2),
                     linear({.out_features = options.classes}),
                 });
  return std::move(net).model(last);
}

Model mobilenet_v3_large(const ModelOptions& options) {  // the paper's table 1
  return mobilenet_v3({{3, 16, 16, false, false, 1},
                       {3, 64, 24, false, false, 2},
                       {3, 72, 24, false, false, 1},
                       {5, 72, 40, true, false, 2},
                       {5, 120, 40, true, false, 1},
                       {5, 120, 40, true, false, 1},
                       {3, 240, 80, false, true, 2},
                       {3, 200, 80, false, true, 1},
                       {3, 184, 80, false, true, 1},
                       {3, 184, 80, false, true, 1},
                       {3, 480, 112, true, true, 1},
                       {3, 672, 112, true, true, 1},
                       {5, 672, 160, true, true, 2},
                       {5, 960, 160, true, true, 1},
                       {5, 960, 160, true, true, 1}},
                      1280, options);
}

Model mobilenet_v3_small(const ModelOptions& options) {  // table 2
  return mobilenet_v3({{3, 16, 16, true, false, 2},
                       {3, 72, 24, false, false, 2},
                       {3, 88, 24, false, false, 1},
                       {5, 96, 40, true, true, 2},
                       {5, 240, 40, true, true, 1},
                       {5, 240, 40, true, true, 1},
                       {5, 120, 48, true, true, 1},
                       {5, 144, 48, true, true, 1},
                       {5, 288, 96, true, true, 2},
                       {5, 576, 96, true, true, 1},
                       {5, 576, 96, true, true, 1}},
                      1024, options);
}

}  // namespace

extern const Family mobilenet_v3_family;
const Family mobilenet_v3_family{
    "MobileNetV3",
    "Howard et al. 2019, \"Searching for MobileNetV3\"",
    {{"mobilenet_v3_small", mobilenet_v3_small}, {"mobilenet_v3_large", mobilenet_v3_large}}};

}  // namespace loupe
