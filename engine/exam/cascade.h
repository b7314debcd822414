// Cascade: a network forgets what it learned layer by layer, from the output down. What changes at once
// depends on the last layers; what stays until the end shows little of what was learned. The main form of the
// sanity check of Adebayo et al. 2018, "Sanity checks for saliency maps".
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/exam/contestant.h"
#include "engine/exam/statistics.h"
#include "engine/run/passes.h"

namespace loupe {

struct CascadeStep {
  std::string layer;              // it and all behind it are untrained
  std::vector<Tally> similarity;  // one a contestant, as the metric randomisation measures it
};

/// For at most `most_steps` layers, from the last to the first, which are evenly chosen where there are more.
/// scene(i) for i in [0, count) is called once.
std::vector<CascadeStep> cascade(ImageModel& model, const std::vector<Contestant>& contestants,
                                 const std::function<Scene(int64_t)>& scene, int64_t count, uint64_t seed,
                                 const Progress& progress = {}, int64_t most_steps = 7);

}  // namespace loupe
