// The options that methods of path integrals share, and what they say of a result.
#pragma once
#include "engine/methods/baseline.h"
#include "engine/methods/path_integral.h"

namespace loupe {

std::vector<OptionSpec> path_specs();
PathOptions path_options(const Options& options);

/// The mean of the results from the baselines that the options name: expected gradients (Erion et al. 2021) of a set.
/// from_one(baseline, progress): the result from one of them.
struct PathMean {
  Tensor attribution;  // like the input or the layer, without the batch, in the device's type
  std::vector<Check> checks;
  std::vector<std::string> notes, unmet;
};
PathMean over_baselines(const Question& q, const Options& options, const std::string& method,
                        const std::function<PathResult(const Tensor& baseline, const Progress&)>& from_one);

}  // namespace loupe
