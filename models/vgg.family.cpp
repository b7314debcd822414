// VGG with 11 to 19 layers, each with or without batch normalisation.
#include <array>

#include "models/catalog/builder.h"

namespace loupe {
namespace {

// 3×3 convolutions in each of the five stages, and their channels. A stage ends with a pool.
using Stages = std::array<int, 5>;
constexpr std::array<int64_t, 5> kChannels{64, 128, 256, 512, 512};

Model vgg(const Stages& stages, bool norm, const ModelOptions& options) {
  std::vector<OpPtr> features;
  for (size_t s = 0; s < stages.size(); ++s) {
    for (int i = 0; i < stages[s]; ++i) {
      features.push_back(conv2d({.out_channels = kChannels[s], .kernel = 3, .padding = 1}));
      if (norm) features.push_back(batch_norm());
      features.push_back(relu());
    }
    features.push_back(max_pool2d({.kernel = 2, .stride = 2}));
  }
  Builder net(options);
  NodeId x = net.sequential("features", net.input(), features);
  x = net.add("avgpool", adaptive_avg_pool2d(7), x);
  x = net.add("flatten", flatten(), x);
  net.sequential("classifier", x,
                 {
                     linear({.out_features = 4096}),
                     relu(),
                     dropout(0.5),
                     linear({.out_features = 4096}),
                     relu(),
                     dropout(0.5),
                     linear({.out_features = options.classes}),
                 });
  return std::move(net).model("features." + std::to_string(features.size() - 2));  // what the last pool reads
}

std::vector<Architecture> architectures() {
  const std::pair<std::string, Stages> depths[] = {{"vgg11", {1, 1, 2, 2, 2}},
                                                   {"vgg13", {2, 2, 2, 2, 2}},
                                                   {"vgg16", {2, 2, 3, 3, 3}},
                                                   {"vgg19", {2, 2, 4, 4, 4}}};
  std::vector<Architecture> all;
  for (const auto& [name, stages] : depths)
    for (const bool norm : {false, true})
      all.push_back({name + (norm ? "_bn" : ""), [stages = stages, norm](const ModelOptions& options) {
                       return vgg(stages, norm, options);
                     }});
  return all;
}

}  // namespace

extern const Family vgg_family;
const Family vgg_family{
    "VGG",
    "Simonyan & Zisserman 2014, \"Very deep convolutional networks for large-scale image recognition\"",
    architectures()};

}  // namespace loupe
