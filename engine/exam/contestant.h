// Contestant: a method, with its options, that takes part in an evaluation.
#pragma once
#include "engine/exam/scene.h"
#include "engine/image/plane.h"
#include "engine/run/method.h"

namespace loupe {

struct Contestant {
  const Method* method;
  Options options;
  bool baseline = false;

  /// Its relevance for class `cls` of a scene whose logits are these. Throws Error where none of its maps can
  /// be scored.
  Plane answer(ImageModel& model, const Scene& scene, const Tensor& logits, int64_t cls) const;
};

/// Whether the method's answer to a scene has a map that can be scored.
bool can_be_scored(ImageModel& model, const Contestant& contestant, const Scene& scene);

}  // namespace loupe
