// Two objects: does the map point at the one that was asked for, or at the other?
#pragma once
#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// Of the map's maxima, the share that lies within `tolerance` of its own object and nearer to it than to the
/// other's, and the share for which it is the other way round; the pointing game on difficult pictures of
/// Zhang et al. 2016, between two drawn objects.
struct Sides {
  double own = 0, other = 0;
};
Sides sides(const Plane& map, const Region& own, const Region& other, double tolerance);

}  // namespace loupe
