// RegNet: residual networks whose widths follow one line. Block j would be w_0 + w_a·j channels wide; it
// gets the nearest w_0·w_m^s instead (the paper's equations 2 to 4), and neighbours of the same width are a
// stage. The X networks are plain bottlenecks of grouped convolutions, the Y networks squeeze and excite as
// well.
#include <cmath>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/elementwise.h"
#include "models/catalog/blocks.h"

namespace loupe {
namespace {

struct RegNet {
  std::string name;
  int depth;  // blocks, of all stages
  double w_0, w_a, w_m;
  int64_t group;  // channels of a convolution's group
  bool squeeze;
};

struct Stage {
  int64_t width;
  int depth;
};

std::vector<Stage> stages(const RegNet& r) {
  std::vector<Stage> all;
  for (int j = 0; j < r.depth; ++j) {
    const double wanted = r.w_0 + r.w_a * j;
    const double step = std::nearbyint(std::log(wanted / r.w_0) / std::log(r.w_m));
    const auto width = static_cast<int64_t>(std::nearbyint(r.w_0 * std::pow(r.w_m, step) / 8) * 8);
    if (all.empty() || all.back().width != width) all.push_back({width, 0});
    ++all.back().depth;
  }
  for (Stage& s : all) s.width = scaled_width(static_cast<double>(s.width), 1, std::min(r.group, s.width));
  return all;
}

NodeId block(Builder& net, const std::string& module, NodeId x, const RegNet& r, int64_t width,
             int64_t stride) {
  const int64_t before = net.channels(x), groups = width / std::min(r.group, width);
  NodeId shortcut = x;
  if (before != width || stride != 1)
    shortcut =
        conv_norm(net, module + ".proj", x, {.out_channels = width, .kernel = 1, .stride = stride}, nullptr);
  NodeId y = conv_norm(net, module + ".f.a", x, {.out_channels = width, .kernel = 1}, relu());
  y = conv_norm(net, module + ".f.b", y,
                {.out_channels = width, .kernel = 3, .stride = stride, .groups = groups}, relu());
  if (r.squeeze) y = squeeze_excitation(net, module + ".f.se", y, before / 4, relu(), sigmoid());
  y = conv_norm(net, module + ".f.c", y, {.out_channels = width, .kernel = 1}, nullptr);
  y = net.add(module + ".add", add(), {shortcut, y});
  return net.add(module + ".activation", relu(), y);
}

Model regnet(const RegNet& r, const ModelOptions& options) {
  Builder net(options);
  NodeId x = conv_norm(net, "stem", net.input(), {.out_channels = 32, .kernel = 3, .stride = 2}, relu());
  int index = 1;
  for (const Stage& s : stages(r)) {
    const std::string name = "block" + std::to_string(index++);
    for (int i = 0; i < s.depth; ++i)
      x = block(net, "trunk_output." + name + "." + name + "-" + std::to_string(i), x, r, s.width,
                i == 0 ? 2 : 1);
  }
  net.chain("", x,
            {
                {"avgpool", global_avg_pool2d()},
                {"flatten", flatten()},
                {"fc", linear({.out_features = options.classes})},
            });
  return std::move(net).model("trunk_output");
}

const std::vector<RegNet> kTable{
    {"regnet_x_400mf", 22, 24, 24.48, 2.54, 16, false},   {"regnet_x_800mf", 16, 56, 35.73, 2.28, 16, false},
    {"regnet_x_1_6gf", 18, 80, 34.01, 2.25, 24, false},   {"regnet_x_3_2gf", 25, 88, 26.31, 2.25, 48, false},
    {"regnet_x_8gf", 23, 80, 49.56, 2.88, 120, false},    {"regnet_x_16gf", 22, 216, 55.59, 2.1, 128, false},
    {"regnet_x_32gf", 23, 320, 69.86, 2.0, 168, false},   {"regnet_y_400mf", 16, 48, 27.89, 2.09, 8, true},
    {"regnet_y_800mf", 14, 56, 38.84, 2.4, 16, true},     {"regnet_y_1_6gf", 27, 48, 20.71, 2.65, 24, true},
    {"regnet_y_3_2gf", 21, 80, 42.63, 2.66, 24, true},    {"regnet_y_8gf", 17, 192, 76.82, 2.19, 56, true},
    {"regnet_y_16gf", 18, 200, 106.23, 2.48, 112, true},  {"regnet_y_32gf", 20, 232, 115.89, 2.53, 232, true},
    {"regnet_y_128gf", 27, 456, 160.83, 2.52, 264, true},
};

}  // namespace

extern const Family regnet_family;
const Family regnet_family{"RegNet", "Radosavovic et al. 2020, \"Designing network design spaces\"",
                           architectures(kTable, regnet)};

}  // namespace loupe
