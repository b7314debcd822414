// Occlusion: the score with a square over each place.
#pragma once
#include <cstdint>

#include "engine/run/passes.h"

namespace loupe {

struct OcclusionOptions {
  Target target = top1;
  int64_t window = 32;  // side of the square, pixels; at most the image's sides
  int64_t stride = 8;   // at most the window, so that every pixel is covered
  double fill = 0;      // the square's value, normalised: 0 is the mean colour, a grey
  Tensor picture =
      {};  // like x, or (1, C, H, W) for all images: what the square shows, in the place of `fill`
  bool each_channel = false;  // squares cover one channel at a time
  Progress progress = {};
};

/// The square's top left corner moves over (stride·i, stride·j), i < 1 + ⌈(H − window)/stride⌉: where the
/// stride does not divide H − window, the last squares reach over the edge and are cut there, as in Captum.
struct OcclusionResult {
  Tensor logit;        // (N, h, w): the score with the square at (i, j)
  Tensor probability;  // (N, h, w): class_probability() of the same; undefined where the target is no class
  Tensor attribution;  // (N, H, W): the drop of the score, averaged over the squares that cover a pixel
  double part = 1;     // of a whole pass's multiplications, that a place took
};

/// Zeiler & Fergus 2014, section 4.2. With each_channel results are (N, C, …), of squares over channel c. A
/// place computes again what its square can have changed, and no more (engine/plan/windows.h); the bits are those of
/// whole passes.
OcclusionResult occlusion(Network& net, const Tensor& x, const OcclusionOptions& options = {});

}  // namespace loupe
