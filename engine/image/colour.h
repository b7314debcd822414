// Colour as the eye sees it: OKLab (B. Ottosson, "A perceptual color space for image processing", 2020), in
// which equal distances look equally different. Colour maps and blends are made here rather than in RGB, so
// that a step in a value looks like the same step everywhere.
#pragma once
#include <array>
#include <cstdint>

namespace loupe {

using Rgb = std::array<uint8_t, 3>;  // sRGB

/// Lightness L in [0, 1]; a (green to red) and b (blue to yellow), both 0 for grey.
struct Lab {
  float L = 0, a = 0, b = 0;
};

Lab to_lab(const uint8_t* rgb);
/// Colours that sRGB lacks are clamped a channel at a time.
Rgb to_rgb(Lab colour);

/// (1 − t)·from + t·to
constexpr Lab mix(Lab from, Lab to, float t) {
  return {from.L + t * (to.L - from.L), from.a + t * (to.a - from.a), from.b + t * (to.b - from.b)};
}

/// For a quantity from least to most, t in [0, 1]: dark violet, red, orange, pale yellow. Lightness rises
/// evenly.
Lab heat_colour(float t);
/// For a quantity of which neither end is special, t in [0, 1]: dark blue, teal, green, pale yellow.
Lab level_colour(float t);
/// For a signed quantity, t in [-1, 1]: blue below zero, red above, and both equally far from neutral.
Lab signed_colour(float t);

}  // namespace loupe
