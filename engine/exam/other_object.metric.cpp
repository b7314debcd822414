// The other object: asked for one of two classes, how often does the map point at the other? (two_objects.h
// says what pointing at one of two means.)
#include "engine/exam/metric.h"
#include "engine/exam/two_objects.h"

namespace loupe {

extern const Metric other_object_metric;
const Metric other_object_metric{
    .name = "other_object",
    .heading = "other of 2",
    .place = 6,
    .summary = "the same: share whose strongest pixel is at the class that was not asked for",
    .source = "Zhang et al. 2016, Top-down neural attention by excitation backprop",
    .better = Metric::Better::lower,
    .objects = 2,
    .costly = true,
    .score = [](const Trial& t) -> std::optional<Score> {
      const auto& objects = t.scene.objects;
      double sum = 0;
      for (size_t i : {size_t{0}, size_t{1}})
        sum +=
            sides(t.map(i), objects.at(i).region, objects.at(1 - i).region, t.settings.tolerance).other / 2;
      return Score{sum};
    }};

}  // namespace loupe
