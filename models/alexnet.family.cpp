// AlexNet as torchvision has it: the single-tower variant, without local response normalisation.
#include "models/catalog/builder.h"

namespace loupe {
namespace {

Model alexnet(const ModelOptions& options) {
  Builder net(options);
  NodeId x = net.sequential("features", net.input(),
                            {
                                conv2d({.out_channels = 64, .kernel = 11, .stride = 4, .padding = 2}),
                                relu(),
                                max_pool2d({.kernel = 3, .stride = 2}),
                                conv2d({.out_channels = 192, .kernel = 5, .padding = 2}),
                                relu(),
                                max_pool2d({.kernel = 3, .stride = 2}),
                                conv2d({.out_channels = 384, .kernel = 3, .padding = 1}),
                                relu(),
                                conv2d({.out_channels = 256, .kernel = 3, .padding = 1}),
                                relu(),
                                conv2d({.out_channels = 256, .kernel = 3, .padding = 1}),
                                relu(),
                                max_pool2d({.kernel = 3, .stride = 2}),
                            });
  x = net.add("avgpool", adaptive_avg_pool2d(6), x);
  x = net.add("flatten", flatten(), x);
  net.sequential("classifier", x,
                 {
                     dropout(0.5),
                     linear({.out_features = 4096}),
                     relu(),
                     dropout(0.5),
                     linear({.out_features = 4096}),
                     relu(),
                     linear({.out_features = options.classes}),
                 });
  return std::move(net).model("features.11");
}

}  // namespace

extern const Family alexnet_family;
const Family alexnet_family{
    "AlexNet",
    "Krizhevsky 2014, \"One weird trick for parallelizing convolutional neural networks\"",
    {{"alexnet", alexnet}}};

}  // namespace loupe
