// Sensitivity-n: the same random sets for every map of a picture, so that the network answers each once.
#include "engine/exam/sensitivity_n.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/exam/metric.h"
#include "engine/exam/statistics.h"

namespace loupe {

std::vector<int64_t> set_sizes(int64_t pixels) {
  constexpr int kSizes = 8;
  const double most = std::max(1.0, std::floor(0.8 * static_cast<double>(pixels)));
  std::vector<int64_t> sizes;
  for (int i = 0; i < kSizes; ++i) {
    const auto size = static_cast<int64_t>(std::lround(std::pow(most, i / (kSizes - 1.0))));
    if (sizes.empty() || size > sizes.back()) sizes.push_back(size);
  }
  return sizes;
}

Removals random_removals(Network& net, const Tensor& x, const Target& target, std::span<const int64_t> sizes,
                         int64_t draws_a_size, const Draws& draws, const Progress& progress) {
  expect_images(net, x);
  const int64_t pixels = x.shape()[2] * x.shape()[3];
  std::vector<PixelSet> sets;
  for (const int64_t size : sizes) {
    if (size < 1 || size > pixels)
      throw UsageError("sets of " + std::to_string(size) + " of " + std::to_string(pixels) + " pixels");
    for (PixelSet& set :
         random_sets(pixels, size, draws_a_size, draws, "sensitivity_n." + std::to_string(size)))
      sets.push_back(std::move(set));
  }
  return remove(net, x, target, std::move(sets), progress);
}

std::vector<double> sensitivity_n(const Plane& map, const Removals& removals, int64_t draws_a_size) {
  const std::vector<double> sums = sums_over(map, removals.sets);
  const auto part = [&](const std::vector<double>& all, size_t first) {
    return std::span(all).subspan(first, static_cast<size_t>(draws_a_size));
  };
  std::vector<double> found;
  for (size_t first = 0; first < sums.size(); first += static_cast<size_t>(draws_a_size))
    found.push_back(correlation(part(sums, first), part(removals.drops, first)));
  return found;
}

extern const Metric sensitivity_n_metric;
const Metric sensitivity_n_metric{
    .name = "sensitivity_n",
    .heading = "sens-n",
    .place = 12,
    .summary =
        "correlation of the map's sum over random pixels with the drop of the score when they are grey",
    .source =
        "Ancona, Ceolini, Oztireli & Gross 2018, Towards better understanding of gradient-based attribution "
        "methods",
    .costly = true,
    .standard = false,
    .score = [](const Trial& t) -> std::optional<Score> {
      const int64_t draws = t.settings.draws;
      const auto& removals = t.once.get<Removals>("sensitivity_n", [&] {
        const Shape& shape = t.scene.input.shape();
        return random_removals(t.network, t.scene.input, t.scene.objects.at(0).cls,
                               set_sizes(shape[2] * shape[3]), draws);
      });
      const std::vector<double> found = sensitivity_n(t.map(0), removals, draws);
      return Score{std::accumulate(found.begin(), found.end(), 0.0) / static_cast<double>(found.size())};
    }};

}  // namespace loupe
