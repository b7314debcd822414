// Blocks: modules that several families share, under torchvision's names.
#pragma once
#include "models/catalog/builder.h"

namespace loupe {

/// v·factor rounded to a multiple of `divisor`, but never below nine tenths of it, as MobileNet's authors
/// scale widths.
int64_t scaled_width(double width, double factor, int64_t divisor = 8);

/// Conv2dNormActivation: module.0, a convolution without bias that keeps the map's size (but for its
/// stride: `padding` is set here); module.1, its batch norm; module.2, `function`, where one is given.
NodeId conv_norm(Builder& net, const std::string& module, NodeId x, Conv2d conv, const OpPtr& function,
                 BatchNorm norm = {});

/// SqueezeExcitation (Hu, Shen & Sun 2018): each channel is multiplied by a factor in [0, 1] that is
/// computed of all channels' means: gate(fc2(function(fc1(mean)))), with `squeeze` numbers between fc1 and
/// fc2.
NodeId squeeze_excitation(Builder& net, const std::string& module, NodeId x, int64_t squeeze,
                          const OpPtr& function, const OpPtr& gate);

}  // namespace loupe
