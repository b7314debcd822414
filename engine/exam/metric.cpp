#include "engine/exam/metric.h"

#include <algorithm>
#include <vector>

#include "kernels/common/error.h"
#include "kernels/common/suggest.h"

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

std::span<const Metric* const> standard_metrics() {
  static const std::vector<const Metric*> standard = [] {
    std::vector<const Metric*> some;
    for (const Metric* m : all_metrics())
      if (m->standard) some.push_back(m);
    return some;
  }();
  return standard;
}

const Metric& find_metric(const std::string& name) {
  std::vector<std::string> known;
  for (const Metric* m : all_metrics()) {
    if (m->name == name) return *m;
    known.emplace_back(m->name);
  }
  const std::string near = did_you_mean(name, known);
  if (!near.empty()) throw UsageError("there is no metric '" + name + "'" + near);
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  throw UsageError("there is no metric '" + name + "'; there are " + list);
}

}  // namespace loupe
