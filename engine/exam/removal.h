// Removal: how far a score falls when pixels go, which is what the values of a map at these pixels are held
// against.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/image/plane.h"
#include "engine/run/passes.h"
#include "kernels/common/draws.h"

namespace loupe {

/// Some of a picture's pixels, by their row-major index.
using PixelSet = std::vector<int32_t>;

/// Sets of pixels of one picture, and score(x) − score(x with the set's pixels at 0, the mean colour) of each.
struct Removals {
  std::vector<PixelSet> sets = {};
  std::vector<double> drops = {};
};

/// x: (1, C, H, W). All sets run in the largest good batches; a drop does not depend on them. Throws
/// UsageError for an x that does not fit the network, and Error for a pixel that x does not have.
Removals remove(Network& net, const Tensor& x, const Target& target, std::vector<PixelSet> sets,
                const Progress& progress = {});

/// The sum of the map over each of the sets: what it says that the score would fall.
std::vector<double> sums_over(const Plane& map, const std::vector<PixelSet>& sets);

/// `count` sets of `size` of `pixels`, each drawn without replacement by a partial Fisher–Yates shuffle:
/// step i of set s swaps pixel i with pixel i + floor(u·(pixels − i)), u = u(s·pixels + i) of the name.
std::vector<PixelSet> random_sets(int64_t pixels, int64_t size, int64_t count, const Draws& draws,
                                  const std::string& name);

/// `count` squares inside a height×width picture, their sides evenly between an eighth and a half of the
/// shorter side, their places even: square s by u(3s), u(3s + 1), u(3s + 2) of the name for side, top and
/// left.
std::vector<PixelSet> random_squares(int64_t height, int64_t width, int64_t count, const Draws& draws,
                                     const std::string& name);

}  // namespace loupe
