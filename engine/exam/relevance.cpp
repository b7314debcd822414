#include "engine/exam/relevance.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/error.h"

namespace loupe {

const Map* scored_map(const Explanation& explanation) {
  for (const Map& map : explanation.maps)
    if (map.picture.style != Picture::Style::level) return &map;
  return nullptr;
}

Plane relevance(const Map& map, int64_t height, int64_t width) {
  using enum Picture::Style;
  const Picture::Style style = map.picture.style;
  Plane plane = to_pixels(reduce_channels(map.values, style == magnitude || style == reconstruction), height,
                          width, map.picture.grid);
  const double none = map.picture.from_least ? *std::ranges::min_element(plane.values) : 0;
  for (double& v : plane.values) {
    if (!std::isfinite(v))
      throw Error("the map '" + map.name + "' holds a value that is not finite; are the weights sound?");
    if (style == evidence) v = std::max(v - none, 0.0);
  }
  return plane;
}

}  // namespace loupe
