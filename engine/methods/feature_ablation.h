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

struct FeatureAblationResult {
  Tensor
      attribution;  // (N, rows, columns) of a grid, else (N, H, W) with a segment's value at each of its pixels
  double part = 1;  // of a whole pass's multiplications, that a segment took
};

/// f(x) − f(x with the segment replaced by the baseline), in all channels. Zeiler & Fergus 2014, section 4.2, without
/// overlaps; Captum's FeatureAblation. Only the windows of layers that a segment's box can have changed are computed again
/// (engine/run/windows.h); the bits are those of whole passes.
FeatureAblationResult feature_ablation(Network& net, const Tensor& x, const Segments& segments,
                                       const FeatureAblationOptions& options = {});

}  // namespace loupe
