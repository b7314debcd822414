// What a network says about a picture.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/run/image_model.h"

namespace loupe {

/// A class of an image.
struct Verdict {
  int64_t index = 0;
  std::string label;
  double score = 0, probability = 0;  // the logit, and class_probability()
};

/// All classes, the likeliest first; of equals the lower index first. logits: (1, classes). Throws Error
/// where one is not finite.
std::vector<Verdict> rank(const ImageModel& network, const Tensor& logits);

}  // namespace loupe
