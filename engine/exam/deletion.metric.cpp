// Deletion: how fast does the class's probability fall when the most relevant pixels go first?
#include "engine/exam/deletion.h"
#include "engine/exam/metric.h"
#include "engine/exam/perturbation.h"

namespace loupe {

Curve deletion(Network& net, const Tensor& x, int64_t cls, const Plane& map, int64_t steps) {
  return turning(net, x, Tensor::zeros(x.dtype(), x.shape()), cls, map, steps);
}

extern const Metric deletion_metric;
const Metric deletion_metric{
    .name = "deletion",
    .heading = "delete",
    .place = 8,
    .summary =
        "mean probability of the class while the picture turns grey, its most relevant pixels first; low "
        "is good",
    .source = "Petsiuk, Das & Saenko 2018, RISE: randomized input sampling for explanation",
    .better = Metric::Better::lower,
    .costly = true,
    .score = [](const Trial& t) -> std::optional<Score> {
      return Score{
          deletion(t.network, t.scene.input, t.scene.objects.at(0).cls, t.map(0), t.settings.steps).area()};
    }};

}  // namespace loupe
