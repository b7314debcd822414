#include "engine/image/colour.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

namespace loupe {
namespace {

float srgb_to_linear(float v) { return v <= 0.04045f ? v / 12.92f : std::pow((v + 0.055f) / 1.055f, 2.4f); }
float linear_to_srgb(float v) {
  return v <= 0.0031308f ? v * 12.92f : 1.055f * std::pow(v, 1 / 2.4f) - 0.055f;
}

/// Lightness, chroma (distance from grey) and hue in degrees: the polar form, in which colours are chosen.
struct Lch {
  float L, C, hue;
};

Lab to_lab(Lch c) {
  const float angle = c.hue * std::numbers::pi_v<float> / 180;
  return {c.L, c.C * std::cos(angle), c.C * std::sin(angle)};
}

/// A line through evenly spaced points, straight in L, C and hue.
Lch along(std::span<const Lch> points, float t) {
  const float at = std::clamp(t, 0.0f, 1.0f) * static_cast<float>(points.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), points.size() - 2);
  const float f = at - static_cast<float>(i);
  const Lch &p = points[i], &q = points[i + 1];
  return {p.L + f * (q.L - p.L), p.C + f * (q.C - p.C), p.hue + f * (q.hue - p.hue)};
}

}  // namespace

Lab to_lab(const uint8_t* rgb) {
  static const auto linear = [] {
    std::array<float, 256> table;
    for (size_t v = 0; v < 256; ++v) table[v] = srgb_to_linear(static_cast<float>(v) / 255);
    return table;
  }();
  const float r = linear[rgb[0]], g = linear[rgb[1]], b = linear[rgb[2]];
  const float l = std::cbrt(0.4122214708f * r + 0.5363325363f * g + 0.0514459929f * b);
  const float m = std::cbrt(0.2119034982f * r + 0.6806995451f * g + 0.1073969566f * b);
  const float s = std::cbrt(0.0883024619f * r + 0.2817188376f * g + 0.6299787005f * b);
  return {0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s,
          1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s,
          0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s};
}

Rgb to_rgb(Lab c) {
  const auto cube = [](float v) { return v * v * v; };
  const float l = cube(c.L + 0.3963377774f * c.a + 0.2158037573f * c.b);
  const float m = cube(c.L - 0.1055613458f * c.a - 0.0638541728f * c.b);
  const float s = cube(c.L - 0.0894841775f * c.a - 1.2914855480f * c.b);
  const auto byte = [](float v) {
    return static_cast<uint8_t>(std::lround(255 * linear_to_srgb(std::clamp(v, 0.0f, 1.0f))));
  };
  return {byte(4.0767416621f * l - 3.3077115913f * m + 0.2309699292f * s),
          byte(-1.2684380046f * l + 2.6097574011f * m - 0.3413193965f * s),
          byte(-0.0041960863f * l - 0.7034186147f * m + 1.7076147010f * s)};
}

Lab heat_colour(float t) {
  static constexpr Lch kPoints[] = {
      {0.20f, 0.08f, -75}, {0.345f, 0.15f, -55}, {0.49f, 0.19f, -15},
      {0.635f, 0.21f, 25}, {0.78f, 0.17f, 62},   {0.925f, 0.13f, 102},
  };
  return to_lab(along(kPoints, t));
}

Lab level_colour(float t) {
  static constexpr Lch kPoints[] = {
      {0.30f, 0.13f, 285}, {0.45f, 0.11f, 255}, {0.60f, 0.10f, 205}, {0.75f, 0.12f, 160}, {0.90f, 0.14f, 110},
  };
  return to_lab(along(kPoints, t));
}

Lab signed_colour(float t) {
  // Lightness and chroma fall and rise alike on both sides; only the hue tells the sign.
  const Lch end = t < 0 ? Lch{0.50f, 0.19f, 258} : Lch{0.50f, 0.19f, 26};
  const float u = std::min(std::abs(t), 1.0f);
  return to_lab(Lch{0.96f + u * (end.L - 0.96f), u * end.C, end.hue});
}

}  // namespace loupe
