// Material: how the surface of a shape looks.
#pragma once
#include <cstdint>
#include <functional>

#include "models/zoo/geometry.h"

namespace loupe::zoo {

/// sRGB, each in [0, 1]; sums and products may leave it until the picture is finished.
struct Colour {
  float r = 0, g = 0, b = 0;
  friend constexpr Colour operator+(Colour a, Colour c) { return {a.r + c.r, a.g + c.g, a.b + c.b}; }
  friend constexpr Colour operator*(float s, Colour a) { return {s * a.r, s * a.g, s * a.b}; }
  friend constexpr Colour operator*(Colour a, Colour c) { return {a.r * c.r, a.g * c.g, a.b * c.b}; }
};

/// 0xRRGGBB, as people write colours.
constexpr Colour rgb(uint32_t hex) {
  return {static_cast<float>(hex >> 16 & 255) / 255, static_cast<float>(hex >> 8 & 255) / 255,
          static_cast<float>(hex & 255) / 255};
}
constexpr Colour mix(Colour a, Colour b, float t) {
  return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)};
}

struct Material {
  Colour colour;
  /// How far from its edge the surface curves away, in the units of the shape: shading needs it. 0: flat.
  float round = 0.12f;
  /// Fur, feathers, bark: how much the brightness varies, and over which lengths (x, y in the shape's units).
  float grain = 0;
  Vec2 grain_size{0.05f, 0.05f};
  /// How wide the edge fades, in the units of the shape (a shadow, mist); 0: as sharp as pixels are.
  float soft = 0;
  float opacity = 1;
  /// Stripes, patches: the colour at a point in the shape's own coordinates, from the plain one.
  std::function<Colour(Vec2 at, Colour plain)> pattern = {};
};

/// Smooth noise over the plane, in [-1, 1], with bumps about one unit apart. It repeats after 64.
float noise(Vec2 at);

}  // namespace loupe::zoo
