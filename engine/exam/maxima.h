// Where a map is largest, and how far that is from a region.
#pragma once
#include <cmath>
#include <limits>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"

namespace loupe {

/// Of the pixels at which the map is largest, the share for which hit(y, x) holds.
template <typename Hit>
double share_of_maxima(const Plane& map, const Hit& hit) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const double v : map.values) largest = std::fmax(largest, v);
  int64_t maxima = 0, hits = 0;
  for (int64_t y = 0; y < map.height; ++y)
    for (int64_t x = 0; x < map.width; ++x)
      if (map.at(y, x) == largest) ++maxima, hits += hit(y, x);
  return maxima ? static_cast<double>(hits) / static_cast<double>(maxima) : 0;
}

/// From pixel (y, x) to the nearest of the region's: Euclidean, in pixels. Infinity where that is further
/// than `limit`.
double distance(const Region& region, int64_t y, int64_t x, double limit);

}  // namespace loupe
