// RISE: the score of pictures seen through random masks, averaged over the masks that let a pixel through.
#pragma once
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

struct RiseOptions {
  Target target = top1;
  int64_t samples = 1000;    // masks, at least 1; the paper takes 4000 to 8000
  int64_t grid = 7;          // cells along a side, at most the picture's sides
  double probability = 0.5;  // that a cell is let through, above 0 and at most 1
  bool by_score =
      false;  // masks weigh by the score, of a class its logit, rather than by the class's probability
  Draws draws = Draws();
  Progress progress = {};
};

struct RiseResult {
  Tensor attribution;  // (N, H, W)
  Tensor probability;  // (N, samples): class_probability() of x·M_i; undefined where the target is no class
  Tensor logit;        // (N, samples): the score of x·M_i
  /// (N): correlation of the maps of the odd and of the even masks, between −1 and 1: what of the map is no chance.
  std::vector<double> agreement;
};

/// Petsiuk, Das & Saenko 2018, RISE: Randomized input sampling for explanation of black-box models, equation 6:
/// 1/(samples·p) Σ_i p_i M_i, p_i the class's probability (the score, where the target is no class) at x·M_i. The mask M_i is
/// g×g cells, cell (r, q) 1 where u("rise.grid", g²i + gr + q) < p, enlarged to g + 1 times the cell's side c = ⌈side/g⌉
/// (bilinear between the cells' middles, level beyond the outermost), of which it is the window that begins
/// at (⌊c_h u("rise.shift", 2i)⌋, ⌊c_w u("rise.shift", 2i + 1)⌋). As the authors' program has it, the map is not divided by
/// how often a pixel was let through. Throws UsageError for options out of range.
RiseResult rise(Network& net, const Tensor& x, const RiseOptions& options = {});

}  // namespace loupe
