// Infidelity: by how much do a map's sums over squares miss the drop of the score when these go?
#pragma once
#include <span>

#include "engine/exam/removal.h"
#include "engine/exam/statistics.h"

namespace loupe {

/// E[(Φ(S) − Δ(S))²] of squares S, where Φ(S) is what a map predicts and Δ(S) the drop of the score. Yeh,
/// Hsieh, Suggala, Inouye & Ravikumar 2019, "On the (in)fidelity and sensitivity of explanations",
/// definition 2.1, with their square removal: I is x at the square and 0 elsewhere, and IᵀΦ is Σ x·Φ over
/// the square, for a map of shares that already hold x just their sum. Quantus 0.6 lets removed squares stay
/// removed, so that its drops are of all squares so far, and repeats the same squares n_perturb_samples
/// times.
struct Infidelity {
  double raw = 0;  // in squares of the score's unit
  /// The factor on the map with which it is least, E[Φ·Δ]/E[Φ²] as in the authors' programs, and what is
  /// left with it as a share of E[Δ²]: 0 where the map predicts every drop, 1 where it predicts no more than
  /// a map of zeros. It does not change when the map is multiplied by a number.
  double scale = 0, scaled = 1;
  /// The same share with 95 % confidence, as a mean over squares of which each is another draw.
  Interval interval = {};
};
Infidelity infidelity(std::span<const double> predicted, std::span<const double> drops);

}  // namespace loupe
