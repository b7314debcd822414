// Randomisation: does the map change when the network forgets what it learned?
#pragma once
#include "engine/image/plane.h"

namespace loupe {

/// Spearman's rank correlation of |a| and |b|, in [-1, 1]; equal values share their mean rank. A map that is
/// the same everywhere ranks nothing: 0 beside another, 1 beside one of its kind. Between the map of a
/// network and of one that forgot what it learned it is the sanity check of Adebayo et al. 2018, "Sanity
/// checks for saliency maps": a map that stays the same does not show what was learned.
double rank_similarity(const Plane& a, const Plane& b);

/// A map without a margin of a sixth of the shorter side, which is what the sanity check compares:
/// convolutions without padding look at a pixel near the edge less often, so that the maps of any two
/// networks of one architecture are alike there (the gradients of two untrained zoo networks correlate by 0.7
/// with the margin and by 0.2 without).
Plane middle(const Plane& map);

}  // namespace loupe
