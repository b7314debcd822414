// Score-CAM: a layer's maps, each weighted by the score of the picture seen through it.
#pragma once
#include "engine/methods/cam_layer.h"

namespace loupe {

struct ScoreCamResult {
  Tensor map;    // (N, h, w), not rectified
  Tensor score;  // (N, K): s_k, the score of x·H_k
};

/// Σ_k softmax(s)_k·A_k, where A are the layer's maps, s_k is the score of x·H_k and H_k is A_k, upsampled to the input
/// (bilinear, between the middles of cells, clamped at the edges), less its least value and over its range; 0 where it
/// has none. A likeliest class is that of the picture as it is. One forward pass for each of K channels. Wang et al.
/// 2020, "Score-CAM", algorithm 1, whose "− f(baseline)" the softmax cancels; the paper does not say how maps are
/// upsampled. Throws UsageError for a layer without places.
ScoreCamResult score_cam(ImageModel& model, const Tensor& x, const CamLayerOptions& options = {});

}  // namespace loupe
