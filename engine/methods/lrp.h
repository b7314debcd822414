// Layer-wise relevance propagation: the score is handed down from layer to layer, to the pixels that made it up.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/methods/relevance_rules.h"
#include "engine/run/image_model.h"
#include "engine/run/passes.h"

namespace loupe {

/// Which layer of a network shares relevance out by which rule (relevance::LayerRule).
struct LrpRules {
  relevance::LayerRule convolutions = {}, linear = {};
  std::optional<relevance::LayerRule> first = {};  // of first layers, if another
};

/// What the command line calls them: rules for all layers with weights
///
///   0             R_i = Σ_j x_i w_ij R_j / z_j, with z_j the output, bias included
///   epsilon       … / stab(z_j); stab(z) = z + ε sign(z), sign(0) = +1.   epsilon_025: ε = 0.25
///   gamma         weights w + γ w⁺; of outputs z_j < 0, and of negative inputs, w + γ w⁻ (Andéol et al. 2021)
///   zplus         (x⁺ w⁺ + x⁻ w⁻) / stab(Σ_i of it + b⁺).   zplus_nobias: without b⁺
///   alpha_beta    α · zplus − β · (x⁺ w⁻ + x⁻ w⁺) / stab(Σ_i of it + b⁻).   alpha2_beta1: α = 2, β = 1
///   flat          1 / stab(number of inputs that lie inside the picture)
///   wsquare       w² / stab(Σ_i w² inside the picture + b²)
///   zbox          (x w − low w⁺ − high w⁻) / stab(Σ_i of it) at first layers, low and high being black and
///                 white; epsilon at others
///
/// or composites: `epsilon_plus`, `epsilon_alpha2_beta1`: zplus, α2β1 at convolutions, epsilon at linear layers;
/// with `_flat`: flat at first layers; `epsilon_gamma_box`: gamma at convolutions, epsilon at linear layers, zbox at
/// first layers. First layers have no layer with weights before them. Bach et al. 2015; Montavon et al. 2017 and
/// 2019; composites after zennit (Anders et al. 2021).
struct LrpOptions {
  Target target = top1;
  std::string rule = {}, composite = {};  // one of them, or none: epsilon_plus_flat
  double epsilon = 1e-6;                  // of the rule epsilon, and of composites' linear layers
  double gamma = 0.25, alpha = 2, beta = 1;
};
/// `how` says what black and white are. Throws UsageError for a name that there is not, for a rule and a composite at
/// once, and for α − β ≠ 1.
LrpRules lrp_rules(const LrpOptions& options, const Preprocessing& how);

/// The rows by which relevance goes down from `from`; `others` has those of ops without weights, and its name.
Rule lrp_rule(const LrpRules& rules, const Graph& graph, NodeId from, Rule others);

/// Relevance of the input, like x (N, 3, H, W), in the device's type. It starts as the target's value: f(x) at a
/// class, of a general target z ∂L/∂z. Batch norms are folded into the convolution before them; sums share out,
/// R_a = a R/stab(a + b); average pools are proportional; of max pools the winner takes all, the first of several;
/// functions pass. Throws UsageError for a network with an op for which there is no rule (lrp_missing).
Tensor lrp(ImageModel& model, const Tensor& x, const LrpOptions& options = {});

/// Why LRP does not suit a network, or nullopt.
std::optional<std::string> lrp_missing(const Graph& graph);

/// How a score divides, of each image, in a network of which every op is piecewise linear: Σ x ∂f/∂x, which is the
/// relevance that LRP-0 brings to the input, and Σ b ∂f/∂b over all biases b, those of batch norms too. They add up to
/// the score.
struct GradientShares {
  std::vector<double> input, biases;
};
GradientShares gradient_shares(Network& net, const Tensor& x, const Target& target);

}  // namespace loupe
