// Two objects: asked for each of two classes in turn, does the map point at the one that was asked for?
#include "engine/exam/two_objects.h"
#include "engine/exam/maxima.h"
#include "engine/exam/metric.h"

namespace loupe {

Sides sides(const Plane& map, const Region& own, const Region& other, double tolerance) {
  const auto nearer = [&](const Region& a, const Region& b) {
    return share_of_maxima(map, [&](int64_t y, int64_t x) {
      return distance(a, y, x, tolerance) < distance(b, y, x, tolerance);
    });
  };
  return {nearer(own, other), nearer(other, own)};
}

extern const Metric two_objects_metric;
const Metric two_objects_metric{
    .name = "two_objects",
    .heading = "own of 2",
    .place = 5,
    .summary =
        "with two classes in the picture and each asked for: share whose strongest pixel is at its own",
    .source = "Zhang et al. 2016, Top-down neural attention by excitation backprop",
    .objects = 2,
    .costly = true,
    .score = [](const Trial& t) -> std::optional<Score> {
      const auto& objects = t.scene.objects;
      double sum = 0;
      for (size_t i : {size_t{0}, size_t{1}})
        sum += sides(t.map(i), objects.at(i).region, objects.at(1 - i).region, t.settings.tolerance).own / 2;
      return Score{sum};
    }};

}  // namespace loupe
