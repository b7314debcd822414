// DeepLIFT's multipliers as rules of the way back (Shrikumar, Greenside & Kundaje 2017, "Learning important
// features through propagating activation differences"). Rows of a batch go in pairs: row 2p is an input and row
// 2p + 1 its baseline. What arrives at row 2p of the network's input, whatever row 2p + 1 says, is the multiplier m
// of input less baseline, so that Σ m·(x − b) = f(x) − f(b) for a score f that is linear in the result.
//
// Below, d is the value of an input less that of its baseline, and x₀ and y₀ are the baseline's. The stabilisers are
// those of the paper's appendix: where |d| < 10⁻¹⁰ a function's multiplier is its slope at the input.
#pragma once
#include <optional>
#include <string>

#include "engine/graph/graph.h"
#include "engine/plan/rule.h"

namespace loupe {

/// Rescale (section 3.5.2), of every elementwise function y = f(x):  m = m_y·dy/dx, or m_y·f′(x) where |dx| < 10⁻¹⁰.
///
/// A max pool's window with results y and y₀ sends m_y·(max(y, y₀) − y₀) to where x is largest in it, and
/// m_y·(y − max(y, y₀)) to where the baseline is; both add up over windows that overlap, and are then divided by dx;
/// where |dx| < 10⁻¹⁰ m is the pool's own gradient at x. Of equals, after rounding to multiples of 2⁻³⁰, the first in
/// row-major order is the largest. (Captum 0.9 overwrites where windows overlap, and loses their shares.)
/// Ops that are linear in what they read pass multipliers on by their transpose.
Rule deeplift_rescale_rule();

/// RevealCancel (section 3.5.3). A value that a layer's weights w made of inputs x_i has d⁺ = Σ max(w_i·dx_i, 0) and
/// d⁻ = Σ min(w_i·dx_i, 0), any other value the positive and the negative part of d; and a function
///
///   dy⁺ = ½(f(x₀ + d⁺) − f(x₀)) + ½(f(x₀ + d⁻ + d⁺) − f(x₀ + d⁻)),   m⁺ = m_y⁺·dy⁺/d⁺
///
/// and likewise dy⁻ and m⁻ with the signs exchanged. Through weights (section 3.5.1)
///
///   m_i = Σ_j w_ij·(m_j⁺ where w_ij·dx_i > 0, m_j⁻ where it is < 0, the mean of the two where it is 0)
///
/// Row 2p of the signal holds m⁺ and row 2p + 1 m⁻. A batch norm after a layer with weights counts as part of it.
/// The paper has no max pools: they are as in rescale.
Rule deeplift_reveal_cancel_rule(const Graph& graph);

/// Why a rule cannot explain `target`, naming the layer that multiplies activations with each other, or that
/// normalises by them; or nullopt. RevealCancel moreover needs to know the sign of each weight.
std::optional<std::string> deeplift_unsuited(const Graph& graph, NodeId target, bool reveal_cancel);

}  // namespace loupe
