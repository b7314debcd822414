// Insertion: how fast does the class's probability rise when the most relevant pixels come first?
#include <algorithm>

#include "engine/exam/insertion.h"
#include "engine/exam/metric.h"
#include "engine/exam/perturbation.h"

namespace loupe {

Curve insertion(Network& net, const Tensor& x, int64_t cls, const Plane& map, int64_t steps) {
  const double deviation = static_cast<double>(std::min(map.height, map.width)) / 10;
  return turning(net, blurred(x, deviation), x, cls, map, steps);
}

extern const Metric insertion_metric;
const Metric insertion_metric{
    .name = "insertion",
    .heading = "insert",
    .place = 7,
    .summary =
        "mean probability of the class while a blurred picture turns sharp, its most relevant pixels first",
    .source = "Petsiuk, Das & Saenko 2018, RISE: randomized input sampling for explanation",
    .costly = true,
    .score = [](const Trial& t) -> std::optional<Score> {
      return Score{
          insertion(t.network, t.scene.input, t.scene.objects.at(0).cls, t.map(0), t.settings.steps).area()};
    }};

}  // namespace loupe
