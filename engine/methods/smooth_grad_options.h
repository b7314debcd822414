// The options that smooth_grad, smooth_grad_squared and var_grad share.
#pragma once
#include "engine/methods/smooth_grad.h"
#include "engine/run/method.h"

namespace loupe {

std::vector<OptionSpec> smooth_grad_specs();
/// Why the method that is averaged does not suit the network.
std::optional<std::string> smooth_grad_unsuited(const ImageModel& model, const Shape& input,
                                                const Options& options);
/// Refers to `q`.
SmoothGradOptions smooth_grad_options(const Question& q, const Options& options, const std::string& method);

}  // namespace loupe
