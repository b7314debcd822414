// ROAD: does the network still know the picture when the relevant pixels are gone without a trace?
#pragma once
#include <vector>

#include "engine/exam/imputation.h"
#include "engine/exam/perturbation.h"

namespace loupe {

/// What the network says when these fractions of the pixels were removed, the most relevant first, and imputed.
struct Road {
  std::vector<double> fractions = {};
  std::vector<bool> right = {};          // the class is still the likeliest
  std::vector<double> probability = {};  // of the class
  double accuracy() const;               // share of the fractions at which it is
};

/// 10 %, 20 %, …, 90 %.
std::vector<double> road_fractions();

/// Remove and debias. Rong, Leemann, Borisov, Kasneci & Kasneci 2022, "A consistent and efficient evaluation
/// strategy for attribution methods": accuracy after removal in the order "most relevant first". Quantus 0.6
/// does the same only for pictures of one channel: of three it takes the channels of a pixel as features of
/// their own, whose indices its imputation then takes for pixels. A fraction f removes floor(f·pixels)
/// pixels. x: (1, C, H, W).
Road road(Network& net, const Tensor& x, int64_t cls, const Plane& map, const std::vector<double>& fractions,
          double noise = 0.01, const Draws& draws = Draws());

}  // namespace loupe
