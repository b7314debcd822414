// MnasNet: inverted residuals whose kernels, widths and repeats were found by search for speed on a
// telephone (the B1 variant, without squeeze-and-excitation).
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/reduce/reduce.h"
#include "models/catalog/blocks.h"

namespace loupe {
namespace {

struct MnasNet {
  std::string name;
  double width;  // factor of all channels
};

struct Stage {
  int64_t channels, kernel, stride, expand;
  int repeats;
};
constexpr Stage kStages[] = {{24, 3, 2, 3, 3}, {40, 5, 2, 3, 3},  {80, 5, 2, 6, 3},
                             {96, 3, 1, 6, 2}, {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1}};

OpPtr conv1x1(int64_t channels) { return conv2d({.out_channels = channels, .kernel = 1, .bias = false}); }
OpPtr depthwise(int64_t channels, int64_t kernel, int64_t stride) {
  return conv2d({.out_channels = channels,
                 .kernel = kernel,
                 .stride = stride,
                 .padding = kernel / 2,
                 .groups = channels,
                 .bias = false});
}

NodeId inverted_residual(Builder& net, const std::string& module, NodeId x, const Stage& s) {
  const int64_t narrow = net.channels(x), wide = s.expand * narrow;
  const NodeId y = net.sequential(module + ".layers", x,
                                  {
                                      conv1x1(wide),
                                      batch_norm(),
                                      relu(),
                                      depthwise(wide, s.kernel, s.stride),
                                      batch_norm(),
                                      relu(),
                                      conv1x1(s.channels),
                                      batch_norm(),
                                  });
  const bool joined = s.stride == 1 && narrow == s.channels;
  return joined ? net.add(module + ".add", add(), {y, x}) : y;
}

Model mnasnet(const MnasNet& m, const ModelOptions& options) {
  Builder net(options);
  int index = 0;
  const auto append = [&](NodeId x, const std::vector<OpPtr>& ops) {
    for (const OpPtr& op : ops) x = net.add("layers." + std::to_string(index++), op, x);
    return x;
  };
  const int64_t first = scaled_width(32, m.width);
  NodeId x = append(
      net.input(), {
                       conv2d({.out_channels = first, .kernel = 3, .stride = 2, .padding = 1, .bias = false}),
                       batch_norm(),
                       relu(),
                       depthwise(first, 3, 1),
                       batch_norm(),
                       relu(),
                       conv1x1(scaled_width(16, m.width)),
                       batch_norm(),
                   });
  for (Stage s : kStages) {
    s.channels = scaled_width(static_cast<double>(s.channels), m.width);
    const std::string module = "layers." + std::to_string(index++) + ".";
    for (int i = 0; i < s.repeats; ++i, s.stride = 1)
      x = inverted_residual(net, module + std::to_string(i), x, s);
  }
  x = append(x, {conv1x1(1280), batch_norm(), relu()});
  x = net.add("mean", reduce({.kind = Reduce::Kind::mean, .axes = {2, 3}}), x);
  net.sequential("classifier", x, {dropout(0.2), linear({.out_features = options.classes})});
  return std::move(net).model("layers");
}

const std::vector<MnasNet> kTable{
    {"mnasnet0_5", 0.5}, {"mnasnet0_75", 0.75}, {"mnasnet1_0", 1.0}, {"mnasnet1_3", 1.3}};

}  // namespace

extern const Family mnasnet_family;
const Family mnasnet_family{
    "MnasNet", "Tan et al. 2018, \"MnasNet: platform-aware neural architecture search for mobile\"",
    architectures(kTable, mnasnet)};

}  // namespace loupe
