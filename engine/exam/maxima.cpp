#include "engine/exam/maxima.h"

#include <algorithm>

namespace loupe {

int64_t Region::count() const { return std::ranges::count(inside, uint8_t{1}); }

double distance(const Region& region, int64_t y, int64_t x, double limit) {
  const auto reach = static_cast<int64_t>(limit);
  double nearest = std::numeric_limits<double>::infinity();
  for (int64_t i = std::max<int64_t>(0, y - reach); i <= std::min(region.height - 1, y + reach); ++i)
    for (int64_t j = std::max<int64_t>(0, x - reach); j <= std::min(region.width - 1, x + reach); ++j)
      if (region.at(i, j))
        nearest = std::min(nearest, std::hypot(static_cast<double>(i - y), static_cast<double>(j - x)));
  return nearest <= limit ? nearest : std::numeric_limits<double>::infinity();
}

}  // namespace loupe
