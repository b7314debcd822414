// Who takes part in an evaluation.
#pragma once
#include <vector>

#include "engine/exam/evaluate.h"
#include "tools/loupe/method_options.h"

namespace loupe {

/// The methods that suit the network and whose maps can be scored, then the baselines. With `may_skip` the
/// others go to `skipped`, each with its reason; without it one of them is a UsageError. `scene`: any.
std::vector<Contestant> contestants(ImageModel& network, std::vector<ChosenMethod> methods, bool may_skip,
                                    const Scene& scene, std::vector<Skipped>& skipped);

}  // namespace loupe
