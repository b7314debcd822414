// How true a map is to the points that it shows, and how pure neighbourhoods are.
#pragma once
#include "engine/lenses/neighbours.h"

namespace loupe {

/// Trustworthiness (Venna & Kaski 2001, "Neighborhood preservation in nonlinear projection methods", eq. 2):
///
///   1 − 2 / (Nk(2N − 3k − 1)) · Σᵢ Σ_j (r(i, j) − k)
///
/// over the j that are among i's k nearest on the map and are not in x; r(i, j) is j's rank among all others by their
/// distance from i in x (N, D), 1 for the nearest. Exact. `on_map`: nearest_neighbours() of the map. Throws UsageError
/// unless k < N / 2.
double trustworthiness(const Tensor& x, Metric metric, const Neighbours& on_map,
                       const Progress& progress = {});

/// The share of the neighbours in the one that are neighbours in the other, too. Of the same points and k.
double neighbour_recall(const Neighbours& truth, const Neighbours& on_map);

struct Purity {
  double share;   // of neighbours that have their point's label, the mean over all points
  double chance;  // what it is, on the average, for neighbours that are drawn blindly
};
/// labels: a number a point.
Purity label_purity(const Neighbours& neighbours, std::span<const int32_t> labels);

}  // namespace loupe
