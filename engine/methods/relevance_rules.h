// Rows that hand relevance down, for the methods of layer-wise relevance propagation: LRP, excitation
// backpropagation and AttnLRP. All are linear in the relevance R that arrives; none divides by zero.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan/rule.h"

namespace loupe::relevance {

/// What LRP adds to a denominator where nothing else is said.
inline constexpr double kStabiliser = 1e-6;

/// R_i = R: functions, of which the relevance is what their result's is.
Row pass();

/// R_i = x_i Σ_j ∂y_j/∂x_i R_j / stab(y_j) for the operands that are values: LRP-ε for what is linear in them.
/// stab(y) = y + ε sign(y), sign(0) = +1; an ε of 0: what would be divided by 0 is dropped.
///   sum      linear in all together (sums, pools): they share R; biases and constants keep what they add
///   product  linear in each of two: each is given half, R_j / (2 stab(y_j)); all to one if the other is a constant
///   first    all to operand 0; the others are held as they are (divisors)
enum class Sharing : uint8_t { sum, product, first };
Row proportional(double epsilon = kStabiliser, Sharing sharing = Sharing::sum);

/// One way in which a layer with weights shares relevance out:
///
///   R_i = f · Σ_j [gate] Σ_t p_t(x_i) w_t,ij · R_j / stab(Σ_t (Σ_i p_t(x_i) w_t,ij + b_t,j))
///
/// over terms t: a part p of the input, the weights and, if it has one, the bias, each transformed.
using Transform = std::shared_ptr<const WeightTransform>;
struct Term {
  enum class Part : uint8_t { all, positive, negative, one };  // x, max(x, 0), min(x, 0), 1
  Part part = Part::all;
  Transform weight = nullptr;  // null: as they are
  bool biased = false;
  Transform bias = nullptr;
};
struct Share {
  enum class Gate : uint8_t { none, positive, negative };  // outputs of which sign take part
  std::vector<Term> terms;
  double factor = 1;
  Gate gate = Gate::none;
};
/// What is known of a layer in its network, to do no more than needed; the result is the same without.
struct Surroundings {
  bool non_negative_input = false;  // x ≥ 0
  bool positive_outputs = false;    // R_j = 0 wherever y_j ≤ 0
};
/// The sum of these shares. An ε of 0: what would be divided by 0 is dropped.
Row shares(std::vector<Share> list, double epsilon, const Surroundings& where);

/// w → positive·max(w, 0) + negative·min(w, 0); w → w²; w → 1.
Transform parts(double positive, double negative);
Transform squares();
Transform ones();

/// How a layer with weights (convolution, transposed convolution, linear) shares relevance out, Bach et al.
/// 2015 and Montavon et al. 2019, "Layer-wise relevance propagation: an overview". Biases take part in the
/// denominators, and what they add is lost, unless `bias` is false (z⁺) or the rule says otherwise.
struct LayerRule {
  enum class Kind : uint8_t { epsilon, gamma, alpha_beta, flat, w_square, z_box };
  Kind kind = Kind::epsilon;
  double epsilon = kStabiliser;  // of Kind::epsilon; 0: LRP-0
  double gamma = 0.25;
  double alpha = 1, beta = 0;               // z⁺ is 1 and 0
  bool bias = true;                         // of alpha_beta
  std::vector<double> low = {}, high = {};  // of z_box, by channel of the input
  /// A text that is the same for the same rule.
  std::string key() const;
};
/// The row of that rule for a layer of the graph. Throws UsageError for z_box on a layer whose inputs are not
/// those of channels.
Row layer_row(const LayerRule& rule, const Graph& graph, NodeId layer, const Surroundings& where);

/// Whether a node is a layer with weights; all of them, in the order of the graph; and those before which there
/// is none.
bool has_weights(const Node& node);
std::vector<NodeId> layers_with_weights(const Graph& graph);
std::vector<NodeId> first_layers(const Graph& graph);
/// Nodes whose value is never below 0, whatever the input.
std::vector<bool> non_negative(const Graph& graph);

/// Layers with weights where relevance that starts at `from` (starting_with_value) is 0 wherever the output is
/// not above 0: all goes on through ReLUs to rows that multiply by their input, as `times_input` says of layers.
std::vector<bool> positive_outputs(const Graph& graph, NodeId from,
                                   const std::function<bool(NodeId)>& times_input);

/// Rows, by kind of op, for all ops of convolutional networks but layers with weights: sums share out,
/// R_a = a R/stab(a + b); average pools, interpolation and batch norms that cannot be folded are proportional;
/// of a max pool the winner takes all; functions and local response normalisation pass; products of two values
/// give each half; what only moves values moves relevance with them. `epsilon`: of their stabilisers.
Rule network_rows(double epsilon = kStabiliser);
/// Those of transformers on top: see attn_lrp.h.
void add_transformer_rows(Rule& rule);
/// Why the rule cannot explain the network's result, in a line, or nullopt: it has an op that the rule has no row
/// for. `other`: what to try then.
std::optional<std::string> op_without_row(const Graph& graph, const Rule& rule, const std::string& other);

/// The rule with the start of LRP: relevance at the node `from` is its value times the signal that the pass is
/// seeded with: f(x) at the class, z·∂L/∂z for any scalar L of the node's value z.
Rule starting_with_value(Rule rule, const Graph& graph, NodeId from);

}  // namespace loupe::relevance
