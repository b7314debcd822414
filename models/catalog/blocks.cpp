#include "models/catalog/blocks.h"

#include <algorithm>

#include "kernels/elementwise/binary.h"

namespace loupe {

int64_t scaled_width(double width, double factor, int64_t divisor) {
  const double wanted = width * factor;
  const auto d = static_cast<double>(divisor);
  const int64_t nearest = std::max(divisor, static_cast<int64_t>((wanted + d / 2) / d) * divisor);
  return static_cast<double>(nearest) < 0.9 * wanted ? nearest + divisor : nearest;
}

NodeId conv_norm(Builder& net, const std::string& module, NodeId x, Conv2d conv, const OpPtr& function,
                 BatchNorm norm) {
  conv.bias = false;
  conv.padding = Pair((conv.kernel.h - 1) / 2 * conv.dilation.h, (conv.kernel.w - 1) / 2 * conv.dilation.w);
  std::vector<OpPtr> ops{conv2d(conv), batch_norm(norm)};
  if (function) ops.push_back(function);
  return net.sequential(module, x, ops);
}

NodeId squeeze_excitation(Builder& net, const std::string& module, NodeId x, int64_t squeeze,
                          const OpPtr& function, const OpPtr& gate) {
  const NodeId factors = net.chain(module, x,
                                   {
                                       {"avgpool", global_avg_pool2d()},
                                       {"fc1", conv2d({.out_channels = squeeze, .kernel = 1})},
                                       {"activation", function},
                                       {"fc2", conv2d({.out_channels = net.channels(x), .kernel = 1})},
                                       {"scale_activation", gate},
                                   });
  return net.add(module + ".mul", mul(), {x, factors});
}

}  // namespace loupe
