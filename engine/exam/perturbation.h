// What deletion and insertion share: a picture that turns into another, pixel by pixel.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/image/plane.h"
#include "engine/run/network.h"

namespace loupe {

/// The class's probability while pixels change, the most relevant first: at steps + 1 even fractions of them
/// from none to all. Equal pixels take turns in a fixed random order. Petsiuk, Das & Saenko 2018, "RISE".
struct Curve {
  std::vector<double> probability = {};
  double area() const;  // by the trapezoid rule, over the fraction from 0 to 1
};

/// The map's pixels, the largest value first; equal ones in a fixed random order.
std::vector<int64_t> most_relevant_first(const Plane& map);

/// x (1, 3, H, W) behind a Gaussian of this deviation in pixels; beyond the edge the outermost pixels repeat.
Tensor blurred(const Tensor& x, double deviation);

/// The probability of class `cls` while `from` turns into `to`, both (1, C, H, W), in the order of the map:
/// of H·W values, a pixel each with all of its channels, or of C·H·W, each a value of the picture by itself.
Curve turning(Network& net, const Tensor& from, const Tensor& to, int64_t cls, const Plane& map,
              int64_t steps);

}  // namespace loupe
