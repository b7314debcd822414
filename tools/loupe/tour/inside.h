// What the network is shown nothing for: the pictures that its classes are to it, and what its channels see.
#pragma once
#include "engine/run/image_model.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/tour/tour.h"

namespace loupe {

/// Fills tour.classes, tour.units and tour.searched. Drawings are those of the seed, beyond the ones that other parts of
/// the tour show.
void look_inside(Tour& tour, ImageModel& network, uint64_t seed, ProgressBar& progress);

/// The induction circuit of the model of tokens that the program carries, where it carries one.
void look_at_tokens(Tour& tour);

}  // namespace loupe
