// The metrics as functions of arrays. Each is defined here, with its source; the file of its name computes it
// and lists it as a Metric.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/evaluation/scene.h"
#include "engine/image/plane.h"
#include "engine/run/network.h"

namespace loupe {

/// Does the map's maximum lie on the object, or within `tolerance` pixels (Euclidean, between the middles of
/// pixels) of it? 1 or 0; where several pixels are the maximum, the share of them that do, so that a map that
/// prefers no place scores as chance would. The pointing game of Zhang et al. 2016, "Top-down neural
/// attention by excitation backprop".
double pointing(const Plane& map, const Region& object, double tolerance);

/// The share of the map's positive values that lies on the object. A map without any says nothing about
/// where, and scores as an even one does: the object's share of the picture. The energy-based pointing game
/// of Wang et al. 2020, "Score-CAM".
double energy(const Plane& map, const Region& object);

/// The largest |A ∩ object| / |A ∪ object| of all sets A of pixels that reach some threshold; O(n log n). As
/// in Choe et al. 2020, "Evaluating weakly supervised object localization methods right", whose best
/// threshold is one for all pictures; here it is each picture's own, so the measure is of the map's shape
/// alone.
double best_iou(const Plane& map, const Region& object);

/// The share of the map's maxima within `tolerance` pixels of a part, for each of the parts, and for any.
struct PartHits {
  double any = 0;
  std::vector<double> each = {};
};
PartHits part_hits(const Plane& map, std::span<const NamedRegion> parts, double tolerance);

/// Of the map's maxima, the share that lies within `tolerance` of its own object and nearer to it than to the
/// other's, and the share for which it is the other way round; the pointing game on difficult pictures of
/// Zhang et al. 2016, between two drawn objects.
struct Sides {
  double own = 0, other = 0;
};
Sides sides(const Plane& map, const Region& own, const Region& other, double tolerance);

/// The class's probability while pixels change, the most relevant first: at steps + 1 even fractions of them
/// from none to all. Equal pixels take turns in a fixed random order. Petsiuk, Das & Saenko 2018, "RISE".
struct Curve {
  std::vector<double> probability = {};
  double area() const;  // by the trapezoid rule, over the fraction from 0 to 1
};
/// From the picture x (1, 3, H, W) to 0 everywhere, which is the mean colour, a grey.
Curve deletion(Network& net, const Tensor& x, int64_t cls, const Plane& map, int64_t steps);
/// From a picture too blurred to be recognised (Gaussian, deviation a tenth of the shorter side) to x.
Curve insertion(Network& net, const Tensor& x, int64_t cls, const Plane& map, int64_t steps);

/// Spearman's rank correlation of |a| and |b|, in [-1, 1]; equal values share their mean rank. A map that is
/// the same everywhere ranks nothing: 0 beside another, 1 beside one of its kind. Between the map of a
/// network and of one that forgot what it learned it is the sanity check of Adebayo et al. 2018, "Sanity
/// checks for saliency maps": a map that stays the same does not show what was learned.
double rank_similarity(const Plane& a, const Plane& b);

/// A map without a margin of a sixth of the shorter side, which is what the sanity check compares:
/// convolutions without padding look at a pixel near the edge less often, so that the maps of any two
/// networks of one architecture are alike there (the gradients of two untrained zoo networks correlate by 0.7
/// with the margin and by 0.2 without).
Plane middle(const Plane& map);

}  // namespace loupe
