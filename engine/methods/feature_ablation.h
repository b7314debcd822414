// Feature ablation: how far the score falls when a segment is taken away.
#pragma once
#include "engine/methods/segments.h"
#include "engine/run/passes.h"

namespace loupe {

struct FeatureAblationOptions {
  Target target = top1;
  Tensor baseline = {};  // what a segment that is away shows, (1, 3, H, W) or like x; undefined: zeros
  Progress progress = {};
};

/// f(x) − f(x with the segment replaced by the baseline), in all channels: (N, rows, columns) of a grid, else (N, H, W)
/// with a segment's value at each of its pixels. Zeiler & Fergus 2014, section 4.2, without overlaps; Captum's
/// FeatureAblation.
Tensor feature_ablation(Network& net, const Tensor& x, const Segments& segments,
                        const FeatureAblationOptions& options = {});

}  // namespace loupe
