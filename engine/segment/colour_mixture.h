// ColourMixture: a Gaussian mixture of colours, as GrabCut models what is in front and what is behind (Rother,
// Kolmogorov & Blake 2004, "GrabCut", section 3).
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/image/image.h"

namespace loupe {

using Colour = std::array<double, 3>;  // 0 to 255 each

class ColourMixture {
 public:
  /// Of the smallest variance that a component may have along any direction, in grey levels squared: quantised
  /// colours, or one alone, have less.
  static constexpr double kLeastVariance = 1.0;

  /// `count` components (at most; fewer where there are fewer colours), by splitting the component of the largest
  /// spread along its main axis, again and again (Orchard & Bouman 1991, "Color quantization of images"). Nothing is
  /// drawn at random. Throws UsageError for no colours.
  ColourMixture(std::span<const Colour> colours, int count);

  int count() const { return static_cast<int>(components_.size()); }
  /// −log of component k's weight and density at a colour, without the constant 3/2·log 2π. Infinite where the
  /// component is empty.
  double cost(int k, const Colour& colour) const;
  /// The component of least cost: of equals the first.
  int nearest(const Colour& colour) const;

  /// Weights, means and covariances of the colours that are assigned to each component: those that make the sum of
  /// costs the least, of all whose variances along every direction are at least kLeastVariance. A component that got
  /// none is empty from then on.
  void learn(std::span<const Colour> colours, std::span<const int> components);

 private:
  struct Component {
    double weight = 0;
    Colour mean{};
    std::array<double, 9> precision{};  // Σ⁻¹, row-major
    double log_determinant = 0;         // of Σ
  };
  std::vector<Component> components_;
};

}  // namespace loupe
