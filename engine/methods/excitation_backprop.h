// Excitation backpropagation: a winner is drawn from layer to layer, in proportion to how it excited the one above.
#pragma once
#include <optional>
#include <string>

#include "engine/run/method.h"
#include "engine/run/passes.h"

namespace loupe {

struct ExcitationOptions {
  Target target = top1;
  std::string layer = {};  // where the map is; empty: excitation_layer()
  bool contrastive = false;
};

/// The marginal winning probability of the cells of a layer, (N, C, h, w), in the device's type:
///
///   P_i = Σ_j a_i w⁺_ij P_j / Σ_k a_k w⁺_kj        0 where that is 0 / 0; no bias
///
/// from P = 1 at the class (of a general target: ∂L/∂z) down to the layer. Batch norms are folded into the
/// convolution before them; average pools share out alike, with a_i for a_i w_ij, and so do sums, with a⁺, as what
/// they add up may be negative; ReLUs pass; of a max pool the winner takes all. Zhang et al. 2016, "Top-down neural
/// attention by excitation backprop", eq. 10. Its sum over a layer is 1 wherever nothing is 0/0. `contrastive`
/// (section 3.3): less the P of the class's dual, a unit whose last weights are the negated ones. Throws UsageError
/// where excitation_missing() gives a reason.
Tensor excitation_backprop(ImageModel& model, const Tensor& x, const ExcitationOptions& options = {});

/// The paper wants activations ≥ 0, so maps are of layers above the first one: where the network's branches first
/// meet; of a network without branches its first pool; else the first layer whose values are never negative. −1 if
/// there is none.
NodeId excitation_layer(const Graph& graph);
/// Why the method does not suit a network and a layer, or nullopt: an op without a rule, or a layer above it that reads
/// values that may be negative.
std::optional<std::string> excitation_missing(const Graph& graph, NodeId layer);

/// What the two methods have in common: their option, whom they suit, and a map of that name. `caption` ends with
/// " of layer …".
OptionSpec excitation_layer_option();
std::optional<std::string> excitation_unsuited(const ImageModel& model, const Shape& input, const Options& o);
std::optional<std::string> excitation_unsuited_target(const ImageModel& model, const Target& target,
                                                      const Options& o);
Explanation excitation_explanation(const Question& q, const std::string& name,
                                   const ExcitationOptions& options, const std::string& caption);

}  // namespace loupe
