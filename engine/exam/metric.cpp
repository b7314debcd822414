#include "engine/exam/metric.h"

#include <algorithm>
#include <vector>

namespace loupe {

std::span<const Metric* const> all_metrics() {
  static const std::vector<const Metric*> sorted = [] {
    const auto all = unsorted_metrics();
    std::vector<const Metric*> by_place(all.begin(), all.end());
    std::ranges::stable_sort(by_place, {}, &Metric::place);
    return by_place;
  }();
  return sorted;
}

}  // namespace loupe
