// Pointing game: is the place that the map is surest about on the object?
#include "engine/exam/pointing.h"
#include "engine/exam/maxima.h"
#include "engine/exam/metric.h"

namespace loupe {

double pointing(const Plane& map, const Region& object, double tolerance) {
  return share_of_maxima(
      map, [&](int64_t y, int64_t x) { return distance(object, y, x, tolerance) <= tolerance; });
}

extern const Metric pointing_metric;
const Metric pointing_metric{
    .name = "pointing",
    .heading = "pointing",
    .place = 1,
    .summary = "share of pictures whose strongest pixel lies on the object",
    .source = "Zhang et al. 2016, Top-down neural attention by excitation backprop",
    .score = [](const Trial& t) -> std::optional<Score> {
      return Score{pointing(t.map(0), t.scene.objects.at(0).region, t.settings.tolerance)};
    }};

}  // namespace loupe
