// SmoothGrad and its relatives: a gradient, averaged over noisy copies of the picture. Of copies x_s = x + d·n_s,
// s = 0 … samples − 1, where d = sigma·(max x − min x) and n_s are normal numbers, with gradients g_s:
//
//     smooth_grad           mean_s g_s               Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise"
//     smooth_grad_squared   mean_s g_s²              Hooker et al. 2019, "A benchmark for interpretability methods"
//     var_grad              mean_s (g_s − mean g)²   Adebayo et al. 2018, "Sanity checks for saliency maps": the
//                                                    variance of these samples (divided by their number, not one less)
//
// n_s are draws of the name smooth_grad.noise.<s>, element by element of the image, the same for each of a batch. Copies
// are rounded to float32. Smilkov's paper advises 50 samples and a sigma of 0.1 to 0.2.
#pragma once
#include "engine/methods/gradient.h"
#include "kernels/common/draws.h"

namespace loupe {

struct SmoothGradOptions {
  Target target = top1;  // top1: the class of the picture as it is
  int64_t samples = 16;
  double sigma = 0.15;
  Draws draws = Draws();
  Rule rule = gradient_rule();  // of the way back
  bool times_input = false;     // each gradient times its noisy picture
  /// In the place of rule and times_input: what any method finds of one noisy picture (1, C, H, W), of its shape.
  std::function<Tensor(const Tensor& noisy)> map = {};
  Probe probe = {};  // row n·samples + s is copy s of image n
  Progress progress = {};
};

/// (N, C, H, W) each. Throw UsageError for fewer than one sample and for a sigma below 0.
Tensor smooth_grad(Network& net, const Tensor& x, const SmoothGradOptions& options = {});
Tensor smooth_grad_squared(Network& net, const Tensor& x, const SmoothGradOptions& options = {});
Tensor var_grad(Network& net, const Tensor& x, const SmoothGradOptions& options = {});

}  // namespace loupe
