#include "engine/exam/contestant.h"

#include "engine/exam/relevance.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

Explanation ask(ImageModel& model, const Contestant& c, const Scene& scene, const Tensor& logits,
                int64_t cls) {
  return c.method->run({.model = model, .input = scene.input, .target = cls, .logits = logits}, c.options);
}

}  // namespace

Plane Contestant::answer(ImageModel& model, const Scene& scene, const Tensor& logits, int64_t cls) const {
  const Explanation explanation = ask(model, *this, scene, logits, cls);
  const Map* map = scored_map(explanation);
  if (!map) throw Error(std::string(method->name) + " gives no map that says what speaks for the class");
  const Shape& size = scene.input.shape();
  return relevance(*map, size[2], size[3]);
}

bool can_be_scored(ImageModel& model, const Contestant& contestant, const Scene& scene) {
  return scored_map(ask(model, contestant, scene, model.logits(scene.input), scene.objects.at(0).cls)) !=
         nullptr;
}

}  // namespace loupe
