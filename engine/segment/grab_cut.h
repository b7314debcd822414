// Segmentation from saliency: what is in front, found from a map that says where the class is. The map is only asked
// where it is surest; colours do the rest (Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks",
// section 3.2; Rother, Kolmogorov & Blake 2004, "GrabCut: interactive foreground extraction using iterated graph
// cuts").
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/exam/scene.h"
#include "engine/image/image.h"
#include "engine/image/plane.h"

namespace loupe {

enum class Seed : uint8_t { unknown, foreground, background };

/// Foreground where the map is at or above its `foreground` quantile, background where it is at or below the
/// `background` quantile, (height, width) row-major. (The q quantile is the value at place ⌊q·(n − 1)⌋ of the n
/// sorted ones.) Throws UsageError for quantiles that are not 0 ≤ background < foreground ≤ 1, and for a map that is as
/// large at the one as at the other.
std::vector<Seed> saliency_seeds(const Plane& map, double foreground = 0.95, double background = 0.30);

struct GrabCutOptions {
  int components = 5;  // Gaussians of each mixture
  double gamma = 10;   // weight of the border's length
  int rounds = 10;     // at most; it ends earlier where the energy falls no further
  bool keep_seeds =
      false;  // pixels that are seeds stay what they are; else they only teach the first colours
  /// Only the largest connected part of what is in front, as Simonyan et al. do; neighbours touch at 8 sides.
  bool largest = true;
};

/// The energy, in natural units, after each of the three parts of a round.
struct GrabCutRound {
  double assigned, learned, cut;
};

struct GrabCutResult {
  Region mask;
  double first = 0;  // the energy of the first cut, by the colours of the seeds
  std::vector<GrabCutRound> rounds = {};
  bool settled = false;  // the energy fell no further, before the rounds were over
};

/// Minimises, over labels α (1 in front), components k and the two mixtures θ,
///
///   E = Σ_n D(n, α_n, k_n, θ) + γ·Σ_{m,n} [α_m ≠ α_n]·exp(−β‖z_m − z_n‖²) / dist(m, n)
///
/// where D is the cost of pixel n's colour z_n in component k_n of the mixture of its label (ColourMixture), pairs m, n
/// are neighbours at 8 sides, and 1/β is twice the mean of ‖z_m − z_n‖². The first cut is by mixtures of the seeds'
/// colours; then each round assigns each pixel the component of least cost, learns both mixtures, and cuts the graph
/// anew. Each of the three minimises E with all else held, so that it never rises, to the last digit: E is counted in
/// 2⁻¹⁶ths. Nothing is random. Throws UsageError where seeds do not fit the picture or one of the sorts is missing, and
/// for options out of range.
GrabCutResult grab_cut(const Image& image, const std::vector<Seed>& seeds,
                       const GrabCutOptions& options = {});

/// Intersection over union; 1 where both are empty. Throws Error for regions of different sizes.
double iou(const Region& a, const Region& b);

/// The largest part of a region whose pixels touch at 8 sides; of equals the first in row-major order.
Region largest_part(const Region& region);

}  // namespace loupe
