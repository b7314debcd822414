// Scores of a picture with parts of it changed, of which only what can have changed is computed again.
#pragma once
#include <functional>
#include <span>

#include "engine/plan/windows.h"
#include "engine/run/passes.h"

namespace loupe {

struct WindowScores : RowScores {
  double part = 1;  // of a whole pass's multiplications, that a place took
};

/// Scores of x, one image (1, C, H, W), with rectangle i replaced by pixels(i), (C, rects[i].h, rects[i].w) in
/// x's type. The bits are those of forward_scores() with the whole pictures. `target` is settled for x.
WindowScores window_scores(Network& net, const Tensor& x, std::span<const Rect> rects,
                           const std::function<Tensor(int64_t i)>& pixels, const Target& target,
                           const Progress& progress = {});

}  // namespace loupe
