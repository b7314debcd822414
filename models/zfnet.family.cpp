// ZFNet: figure 3 of the paper. It gives filters, strides and map sizes (224, 110, 55, 26, 13, 6) but no
// padding: the padding here is the one that meets these sizes. Its contrast normalisation is AlexNet's, and
// stands after the pool as in the figure. Modules are numbered as in torchvision's AlexNet.
#include "models/catalog/builder.h"

namespace loupe {
namespace {

Model zfnet(const ModelOptions& options) {
  Builder net(options);
  const Lrn norm{.size = 5, .alpha = 1e-4, .beta = 0.75, .k = 2};
  NodeId x = net.sequential("features", net.input(),
                            {
                                conv2d({.out_channels = 96, .kernel = 7, .stride = 2, .padding = 1}),
                                relu(),
                                max_pool2d({.kernel = 3, .stride = 2, .padding = 1}),
                                lrn(norm),
                                conv2d({.out_channels = 256, .kernel = 5, .stride = 2}),
                                relu(),
                                max_pool2d({.kernel = 3, .stride = 2, .padding = 1}),
                                lrn(norm),
                                conv2d({.out_channels = 384, .kernel = 3, .padding = 1}),
                                relu(),
                                conv2d({.out_channels = 384, .kernel = 3, .padding = 1}),
                                relu(),
                                conv2d({.out_channels = 256, .kernel = 3, .padding = 1}),
                                relu(),
                                max_pool2d({.kernel = 3, .stride = 2}),
                            });
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
  return std::move(net).model("features.13");
}

}  // namespace

extern const Family zfnet_family;
const Family zfnet_family{"ZFNet",
                          "Zeiler & Fergus 2013, \"Visualizing and understanding convolutional networks\"",
                          {{"zfnet", zfnet}}};

}  // namespace loupe
