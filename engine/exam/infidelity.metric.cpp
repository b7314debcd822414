// Infidelity: the same squares for every map of a picture, so that the network answers each once.
#include "engine/exam/infidelity.h"

#include <algorithm>
#include <cmath>

#include "engine/exam/metric.h"

namespace loupe {

Infidelity infidelity(std::span<const double> predicted, std::span<const double> drops) {
  if (predicted.size() != drops.size() || drops.empty())
    throw Error("infidelity takes a prediction for each drop, and one at least");
  const auto n = static_cast<double>(drops.size());
  Infidelity found;
  double pp = 0, pd = 0, dd = 0;
  for (size_t i = 0; i < drops.size(); ++i) {
    const double off = predicted[i] - drops[i];
    found.raw += off * off / n;
    pp += predicted[i] * predicted[i] / n;
    pd += predicted[i] * drops[i] / n;
    dd += drops[i] * drops[i] / n;
  }
  found.scale = pp > 0 ? pd / pp : 0;
  if (dd == 0) {  // nothing changes the score: a map is right where it says so
    found.scaled = pp > 0 ? 1 : 0;
    found.interval = {found.scaled, found.scaled, found.scaled};
    return found;
  }
  found.scaled = std::max(0.0, 1 - found.scale * pd / dd);
  // A ratio of two means: to first order its error is that of the mean of (residual² − share·drop²)/E[drop²].
  Tally off;
  for (size_t i = 0; i < drops.size(); ++i) {
    const double left = found.scale * predicted[i] - drops[i];
    off.add((left * left - found.scaled * drops[i] * drops[i]) / dd);
  }
  const double reach = 1.96 * off.standard_error();
  found.interval = {found.scaled, std::max(0.0, found.scaled - reach), std::min(1.0, found.scaled + reach)};
  return found;
}

extern const Metric infidelity_metric;
const Metric infidelity_metric{
    .name = "infidelity",
    .heading = "infid.",
    .place = 13,
    .summary =
        "share of the score's drops under grey squares that the map's sums there do not explain; low is good",
    .source =
        "Yeh, Hsieh, Suggala, Inouye & Ravikumar 2019, On the (in)fidelity and sensitivity of explanations",
    .better = Metric::Better::lower,
    .costly = true,
    .standard = false,
    .score = [](const Trial& t) -> std::optional<Score> {
      const auto& removals = t.once.get<Removals>("infidelity", [&] {
        const Shape& shape = t.scene.input.shape();
        return remove(t.network, t.scene.input, t.scene.objects.at(0).cls,
                      random_squares(shape[2], shape[3], t.settings.draws, Draws(), "infidelity"));
      });
      return Score{infidelity(sums_over(t.map(0), removals.sets), removals.drops).scaled};
    }};

}  // namespace loupe
