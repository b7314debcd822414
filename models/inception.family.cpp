// Inception v3, for pictures of 299×299, without the auxiliary classifier that only training uses. Modules
// are GoogLeNet's with large filters taken apart: 5×5 into two 3×3, 7×7 into 1×7 and 7×1.
#include "kernels/elementwise/elementwise.h"
#include "models/catalog/builder.h"

namespace loupe {
namespace {

// A module of the network, of which the functions below are the branches.
struct Inception {
  Builder& net;
  std::string module;
  NodeId x;

  NodeId conv(const std::string& name, NodeId from, Conv2d c) const {
    c.bias = false;
    return net.chain(module.empty() ? name : module + "." + name, from,
                     {{"conv", conv2d(c)}, {"bn", batch_norm({.eps = 1e-3})}, {"relu", relu()}});
  }
  // A convolution that keeps the map's size.
  NodeId same(const std::string& name, NodeId from, int64_t channels, Pair kernel) const {
    return conv(name, from,
                {.out_channels = channels, .kernel = kernel, .padding = Pair(kernel.h / 2, kernel.w / 2)});
  }
  // One that halves it.
  NodeId half(const std::string& name, NodeId from, int64_t channels) const {
    return conv(name, from, {.out_channels = channels, .kernel = 3, .stride = 2});
  }
  NodeId averaged(int64_t channels) const {
    const OpPtr pool = avg_pool2d({.kernel = 3, .stride = Pair(1), .padding = 1});
    return same("branch_pool", net.add(module + ".avg_pool2d", pool, x), channels, 1);
  }
  NodeId largest() const {
    return net.add(module + ".max_pool2d", max_pool2d({.kernel = 3, .stride = 2}), x);
  }
  NodeId cat(const std::vector<Port>& parts, const std::string& name = "cat") const {
    return net.add(module + "." + name, concat(), parts);
  }

  // The modules, as torchvision letters them.
  NodeId a(int64_t pooled) const {
    const NodeId one = same("branch1x1", x, 64, 1);
    const NodeId five = same("branch5x5_2", same("branch5x5_1", x, 48, 1), 64, 5);
    NodeId three = same("branch3x3dbl_1", x, 64, 1);
    three = same("branch3x3dbl_2", three, 96, 3);
    three = same("branch3x3dbl_3", three, 96, 3);
    return cat({one, five, three, averaged(pooled)});
  }
  NodeId b() const {
    const NodeId three = half("branch3x3", x, 384);
    NodeId twice = same("branch3x3dbl_1", x, 64, 1);
    twice = same("branch3x3dbl_2", twice, 96, 3);
    twice = half("branch3x3dbl_3", twice, 96);
    return cat({three, twice, largest()});
  }
  NodeId c(int64_t narrow) const {
    const Pair wide(1, 7), high(7, 1);
    const NodeId one = same("branch1x1", x, 192, 1);
    NodeId seven = same("branch7x7_1", x, narrow, 1);
    seven = same("branch7x7_2", seven, narrow, wide);
    seven = same("branch7x7_3", seven, 192, high);
    NodeId twice = same("branch7x7dbl_1", x, narrow, 1);
    twice = same("branch7x7dbl_2", twice, narrow, high);
    twice = same("branch7x7dbl_3", twice, narrow, wide);
    twice = same("branch7x7dbl_4", twice, narrow, high);
    twice = same("branch7x7dbl_5", twice, 192, wide);
    return cat({one, seven, twice, averaged(192)});
  }
  NodeId d() const {
    const NodeId three = half("branch3x3_2", same("branch3x3_1", x, 192, 1), 320);
    NodeId seven = same("branch7x7x3_1", x, 192, 1);
    seven = same("branch7x7x3_2", seven, 192, Pair(1, 7));
    seven = same("branch7x7x3_3", seven, 192, Pair(7, 1));
    seven = half("branch7x7x3_4", seven, 192);
    return cat({three, seven, largest()});
  }
  NodeId e() const {
    const auto both = [&](const std::string& name, NodeId from) {
      const NodeId wide = same(name + "a", from, 384, Pair(1, 3));
      return std::vector<Port>{wide, same(name + "b", from, 384, Pair(3, 1))};
    };
    const NodeId one = same("branch1x1", x, 320, 1);
    const NodeId three = cat(both("branch3x3_2", same("branch3x3_1", x, 384, 1)));
    NodeId twice = same("branch3x3dbl_1", x, 448, 1);
    twice = same("branch3x3dbl_2", twice, 384, 3);
    twice = cat(both("branch3x3dbl_3", twice), "cat_1");
    return cat({one, three, twice, averaged(192)}, "cat_2");
  }
};

Model inception_v3(const ModelOptions& options) {
  Builder net(options);
  const auto module = [&](const std::string& name, NodeId x) { return Inception{net, name, x}; };
  const NodeId input = net.transformed_input();
  const Inception top = module("", input);
  const OpPtr pool = max_pool2d({.kernel = 3, .stride = 2});
  NodeId x = top.half("Conv2d_1a_3x3", input, 32);
  x = top.conv("Conv2d_2a_3x3", x, {.out_channels = 32, .kernel = 3});
  x = top.same("Conv2d_2b_3x3", x, 64, 3);
  x = net.add("maxpool1", pool, x);
  x = top.same("Conv2d_3b_1x1", x, 80, 1);
  x = top.conv("Conv2d_4a_3x3", x, {.out_channels = 192, .kernel = 3});
  x = net.add("maxpool2", pool, x);
  x = module("Mixed_5b", x).a(32);
  x = module("Mixed_5c", x).a(64);
  x = module("Mixed_5d", x).a(64);
  x = module("Mixed_6a", x).b();
  x = module("Mixed_6b", x).c(128);
  x = module("Mixed_6c", x).c(160);
  x = module("Mixed_6d", x).c(160);
  x = module("Mixed_6e", x).c(192);
  x = module("Mixed_7a", x).d();
  x = module("Mixed_7b", x).e();
  x = module("Mixed_7c", x).e();
  net.chain("", x,
            {
                {"avgpool", global_avg_pool2d()},
                {"dropout", dropout(0.5)},
                {"flatten", flatten()},
                {"fc", linear({.out_features = options.classes})},
            });
  Model model = std::move(net).model("Mixed_7c", {.resize = 342, .crop = 299});
  model.weight_names.training_only = {"AuxLogits."};
  return model;
}

}  // namespace

extern const Family inception_family;
const Family inception_family{
    "Inception v3",
    "Szegedy et al. 2015, \"Rethinking the Inception architecture for computer vision\"",
    {{"inception_v3", inception_v3, {.classes = 1000, .height = 299, .width = 299}, true}}};

}  // namespace loupe
