// The methods as functions. Each explains the score of a class before softmax: x is a batch (N, 3, H, W) of
// preprocessed images, f32 or f64, results are in the device's type (f64 on ref, f32 elsewhere) and row n
// belongs to image n, whatever else is in the batch. All throw UsageError for inputs, classes and options
// that do not fit.
//
//     auto map = loupe::gradient(net, x, {.target = loupe::top1});
#pragma once
#include <string>
#include <vector>

#include "engine/run/passes.h"

namespace loupe {

struct GradientOptions {
  Target target = top1;
  Probe probe = {};
};

/// ∂score/∂x, signed, (N, 3, H, W). Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks".
Tensor gradient(Network& net, const Tensor& x, const GradientOptions& options = {});

/// x · ∂score/∂x, (N, 3, H, W). Shrikumar et al. 2016, "Not just a black box".
Tensor input_x_gradient(Network& net, const Tensor& x, const GradientOptions& options = {});

/// The gradient with ReLUs that also stop negative signals, (N, 3, H, W). Springenberg et al. 2015, "Striving
/// for simplicity".
Tensor guided_backprop(Network& net, const Tensor& x, const GradientOptions& options = {});

/// The score projected back to pixels, (N, 3, H, W): pools by their switches, convolutions transposed, ReLUs
/// rectify the signal and ignore the forward pass. May be negative at the input. Zeiler & Fergus 2014,
/// "Visualizing and understanding convolutional networks".
Tensor deconvnet(Network& net, const Tensor& x, const GradientOptions& options = {});

struct CamOptions {
  Target target = top1;
};

/// The class's evidence at each place of the last maps, (N, h, w), signed, without the linear layer's bias:
/// Σ_k W[c,k]·A_k. Where the classes' maps themselves are averaged (SqueezeNet), the class's map before its
/// ReLU. Throws UsageError for a network whose head is not global average pooling. Zhou et al. 2016,
/// "Learning deep features for discriminative localization".
Tensor cam(Network& net, const Tensor& x, const CamOptions& options = {});

/// Where a class activation map comes from: the class's map is Σ_k weight[c,k]·maps_k, or channel c of `maps`
/// itself.
struct CamHead {
  NodeId maps = -1;
  std::optional<NodeId> linear = {};
  std::string missing = {};  // why there is none
};
CamHead cam_head(const Graph& graph);

struct GradCamOptions {
  Target target = top1;
  std::string layer = {};  // a layer or module with maps; empty: the network's trunk
  Probe probe = {};
};

/// max(0, Σ_k α_k·A_k), (N, h, w), where A are the layer's maps and α_k is the mean of ∂score/∂A_k over
/// places. Selvaraju et al. 2017, "Grad-CAM".
Tensor grad_cam(Network& net, const Tensor& x, const GradCamOptions& options = {});

struct IntegratedGradientsOptions {
  Target target = top1;
  int64_t steps = 50;    // points of the Gauss–Legendre rule
  Tensor baseline = {};  // like x, or (1, 3, H, W) for all images; none: zero, which is the mean colour
  Probe probe = {};      // row n·steps + k is step k of image n
  Progress progress = {};
};

struct IntegratedGradientsResult {
  Tensor attribution;                           // (N, 3, H, W)
  std::vector<double> scores, baseline_scores;  // F(x) and F(baseline), one an image
  std::vector<double> residuals;  // Σ attribution − (F(x) − F(baseline)): 0 for an exact integral
};

/// (x − b)·∫₀¹ ∇F(b + α(x − b)) dα, by Gauss–Legendre quadrature summed in double. Sundararajan, Taly & Yan
/// 2017, "Axiomatic attribution for deep networks".
IntegratedGradientsResult integrated_gradients(Network& net, const Tensor& x,
                                               const IntegratedGradientsOptions& options = {});

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
  Tensor probability;  // (N, h, w): softmax, in double, of the same
  Tensor attribution;  // (N, H, W): the drop of the score, averaged over the squares that cover a pixel
};

/// Zeiler & Fergus 2014, section 4.2.
OcclusionResult occlusion(Network& net, const Tensor& x, const OcclusionOptions& options = {});

}  // namespace loupe
