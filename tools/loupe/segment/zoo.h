// How well segments agree with the masks of the zoo's pictures, beside the best threshold of the same maps.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

#include "engine/segment/grab_cut.h"
#include "tools/loupe/method_options.h"

namespace loupe {

/// The quantiles at which a map gives seeds, and how pictures are cut.
struct SegmentOptions {
  double foreground = 0.95, background = 0.30;
  GrabCutOptions cut = {};
};

/// A picture's map, as metrics see it (engine/exam/relevance.h). Throws UsageError for a method that has none.
Plane saliency(ImageModel& network, ChosenMethod method, const Tensor& x, int64_t cls, const Tensor& logits);

/// Pictures 0 … count − 1 of the set: mean IoU with the true masks, of GrabCut and of the maps cut at the best of the
/// thresholds, which is one for all pictures (engine/segment/threshold.h); in all and by class. The true class is
/// explained. A map that is too flat for seeds counts as an empty mask.
nlohmann::ordered_json segment_zoo(ImageModel& network, const ChosenMethod& method, uint64_t seed,
                                   int64_t count, const SegmentOptions& options);
/// The same as a table and a sentence.
std::string segment_zoo_text(const nlohmann::ordered_json& scores);

}  // namespace loupe
