// Occlusion: the score with a square over each place.
#pragma once
#include <cstdint>

#include "engine/run/passes.h"

namespace loupe {

struct OcclusionOptions {
  Target target = top1;
  int64_t window = 32;  // side of the square, pixels; at most the image's sides
  int64_t stride = 8;   // at most the window, so that every pixel is covered
  double fill = 0;      // the square's value, all channels, normalised: 0 is the mean colour, a grey
  Progress progress = {};
};

/// The square's top left corner moves over (stride·i, stride·j), i < 1 + ⌈(H − window)/stride⌉: where the
/// stride does not divide H − window, the last squares reach over the edge and are cut there, as in Captum.
struct OcclusionResult {
  Tensor logit;        // (N, h, w): the score with the square at (i, j)
  Tensor probability;  // (N, h, w): class_probability() of the same; undefined where the target is no class
  Tensor attribution;  // (N, H, W): the drop of the score, averaged over the squares that cover a pixel
};

/// Zeiler & Fergus 2014, section 4.2.
OcclusionResult occlusion(Network& net, const Tensor& x, const OcclusionOptions& options = {});

}  // namespace loupe
