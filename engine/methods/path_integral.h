// Integrals of a score's gradient along straight ways, of the network's input or of a layer: what
// integrated_gradients and layer_integrated_gradients share.
#pragma once
#include <string>
#include <vector>

#include "engine/run/passes.h"
#include "engine/run/signal_sum.h"

namespace loupe {

/// How the integral is made of gradients.
///
///     gauss_legendre, trapezoid, midpoint, left, right    quadrature(): gradients at `steps` points (trapezoid: one
///                   more) of the whole way
///     secant        of `steps` intervals that begin at (k/steps)², k = 0, 1, …: kinks crowd near a baseline where many
///                   pixels are alike. In each interval one way back whose slopes are those of the chords: of a ReLU
///                   (relu(z₁) − relu(z₀))/(z₁ − z₀), where z₀ and z₁ are what it reads at the interval's ends, and of
///                   a max pool the places that are largest at either end, by how much of the interval each is (as far
///                   as values change evenly). So every kink counts where it lies, but for those that meet in one
///                   interval; the sum of an interval's shares is F(b) − F(a), to rounding. It takes a third of the
///                   gradients of the others, or less.
///     adaptive      intervals that are bisected where F bends, by forward passes alone: an interval [a, b] with middle
///                   m that is seen as one says that each half has half of F(b) − F(a); its residual is by how much the
///                   halves' own truths differ from that, |F(m) − F(a) − ½(F(b) − F(a))| + |F(b) − F(m) − ½(F(b) − F(a))|.
///                   The largest are bisected until their sum is at most `tolerance`·|F(x) − F(baseline)|, or there
///                   are `max_steps` intervals. Then one gradient for each interval: secant's, or where a network has ops
///                   without chords (attention, softmax, products) the one at its middle; the residual is then what that
///                   misses, by F at the quarters: 4/3·|2(F(a + ¾h) − F(a + ¼h)) − (F(b) − F(a))|, h = b − a, which falls
///                   with the square of the number of intervals. A signed sum over the whole way can be right by luck;
///                   these do not cancel.
struct PathOptions {
  std::string rule = "gauss_legendre";
  int64_t steps = 50;
  double tolerance = 0.001;
  int64_t max_steps = 1000;
};
/// Throws UsageError for a rule that there is not, no steps, and a tolerance that is no number of at least 0.
void check(const PathOptions& options);
inline constexpr const char* kPathRules =
    "gauss_legendre, trapezoid, midpoint, left, right, secant or adaptive";

struct PathResult {
  Tensor attribution;  // (N, …) of the node: (to − from)·∫₀¹ ∇F(from + α(to − from)) dα, f64
  std::vector<double> scores, from_scores;  // F at the ways' ends, one an image
  std::vector<double> residuals;            // Σ attribution − (F(to) − F(from)): 0 for an exact integral
  std::vector<double> interval_residuals;   // of rule adaptive: the sum over the intervals, one an image
  std::vector<int64_t> gradients;           // ways back for each image
  bool met = true;                          // the tolerance, for all images
};

/// `at`: the node whose value goes its way, the input or a layer; `from` and `to` (N, …) are its values at the ends. `x`
/// (N, C, H, W): the network's input, where a layer's value is set over what it made of that. The target is settled.
struct PathIntegral {
  Network& net;
  Tensor x;
  Target target;
  NodeId at;
  Tensor from, to;
  PathOptions options = {};
  Probe probe = {};  // of rules that are a quadrature: row n·points + k is point k of image n
  Progress progress = {};

  PathResult run();
};

/// The rule of the way back that `secant` is, for rows of a batch that follow each other on a way: the signal of row n is
/// that of the interval from row n to row n + 1, and the last row's is 0.
Rule secant_rule();
/// Why it does not suit what leads from node `at` to the target, or nullopt.
std::optional<std::string> secant_unsuited(const Graph& graph, NodeId at, NodeId target);

}  // namespace loupe
