// Baselines: answers that look at neither the network nor the picture. A method that does not beat them has
// shown nothing.
#pragma once
#include "engine/run/method.h"

namespace loupe {

/// A Gaussian around the middle of the picture whose deviation is a quarter of the shorter side: pictures
/// tend to show their object there.
extern const Method centre_baseline;

/// Uniform noise, drawn from the picture's own bytes: another for every picture, the same in every run.
extern const Method random_baseline;

}  // namespace loupe
