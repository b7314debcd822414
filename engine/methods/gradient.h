// Gradient: how the score changes with each pixel.
//
// What holds for every method as a function: it explains the score of a class before softmax; x is a batch
// (N, 3, H, W) of preprocessed images, f32 or f64; results are in the device's type (f64 on ref, f32
// elsewhere), and row n belongs to image n, whatever else is in the batch. All throw UsageError for inputs,
// classes and options that do not fit.
//
//     auto map = loupe::gradient(net, x, {.target = loupe::top1});
#pragma once
#include "engine/run/passes.h"

namespace loupe {

struct GradientOptions {
  Target target = top1;
  Probe probe = {};
};

/// ∂score/∂x, signed, (N, 3, H, W). Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks".
Tensor gradient(Network& net, const Tensor& x, const GradientOptions& options = {});

}  // namespace loupe
