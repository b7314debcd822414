#include "models/zoo/scenery.h"

namespace loupe::zoo {
namespace {

constexpr int kSide = static_cast<int>(kSize);

// colour(x, y) at every pixel, x and y in [0, 1], y up.
template <typename F>
void fill(Canvas& canvas, const F& colour) {
  for (int y = 0; y < kSide; ++y) {
    const Canvas::Row row = canvas.row(y);
    for (int x = 0; x < kSide; ++x) {
      const Colour c = colour((static_cast<float>(x) + 0.5f) / kSide, (static_cast<float>(y) + 0.5f) / kSide);
      row.r[x] = c.r;
      row.g[x] = c.g;
      row.b[x] = c.b;
    }
  }
}

// A colour between two, and a little lighter or darker.
Colour between(const Random& random, uint32_t a, uint32_t b) {
  return random("light", 0.88f, 1.1f) * mix(rgb(a), rgb(b), random.unit("hue"));
}

struct Land {
  Colour near, far;  // the ground in front and at the horizon
  Colour high, low;  // the sky at the top and at the horizon
  float grain;       // how uneven the ground is
  Vec2 size;         // of its unevenness, in pictures
};

// Ground up to a horizon, which may lie above the picture, and sky above it. Unevenness shrinks with
// distance.
void landscape(Canvas& canvas, const Random& random, const Land& land) {
  const float horizon = random.chance("no sky", 0.35f) ? 1.2f : random("horizon", 0.35f, 0.85f);
  const float hills = random("hills", 0, 0.05f), slope = random("slope", -0.08f, 0.08f);
  const Vec2 shift{random("shift x", 0, 64), random("shift y", 0, 64)};
  const float clouds = random.chance("clouds", 0.5f) ? random("cloud", 0.05f, 0.2f) : 0;
  float ridge[kSide];
  for (int x = 0; x < kSide; ++x) {
    const float u = static_cast<float>(x) / kSide;
    ridge[x] = horizon + slope * (u - 0.5f) + hills * noise({3 * u + shift.x, shift.y});
  }
  fill(canvas, [&](float x, float y) {
    const float edge = ridge[static_cast<int>(x * kSide)];
    const float ground = std::clamp((edge - y) * kSide + 0.5f, 0.0f, 1.0f);
    Colour c{};
    if (ground < 1) {
      const float t = std::clamp((y - edge) / 0.6f, 0.0f, 1.0f);
      c = mix(land.low, land.high, t);
      if (clouds > 0) c = mix(c, Colour{1, 1, 1}, clouds * (1 + noise({3 * x + shift.y, 7 * y + shift.x})));
    }
    if (ground > 0) {
      const float depth = std::clamp(y / edge, 0.0f, 1.0f), zoom = 1 / (1.1f - 0.6f * depth);
      const Vec2 at{zoom * (x - 0.5f) / land.size.x + shift.x, zoom * y / land.size.y + shift.y};
      const float rough = 0.65f * noise(at) + 0.35f * noise({2.3f * at.x, 2.1f * at.y});
      c = mix(c, (1 + land.grain * rough) * mix(land.near, land.far, depth * depth), ground);
    }
    return c;
  });
}

void grass(Canvas& canvas, const Random& random) {
  const Colour near = between(random.of("near"), 0x4f8a2e, 0x86a83c);
  landscape(canvas, random,
            {.near = near,
             .far = mix(near, between(random.of("far"), 0x9db76a, 0x5f9150), 0.6f),
             .high = between(random.of("high"), 0x6fa8dc, 0xa9c4d8),
             .low = between(random.of("low"), 0xcfe3f0, 0xe8e4d8),
             .grain = random("grain", 0.12f, 0.3f),
             .size = {random("blade", 0.02f, 0.05f), random("length", 0.05f, 0.12f)}});
}

void water(Canvas& canvas, const Random& random) {
  const Colour near = between(random.of("near"), 0x1f6e9c, 0x3c9aa8);
  landscape(canvas, random,
            {.near = near,
             .far = mix(near, between(random.of("far"), 0x8fc4d4, 0x4a86b8), 0.7f),
             .high = between(random.of("high"), 0x5f9ed8, 0xb4bcc8),
             .low = between(random.of("low"), 0xd8e8f0, 0xf0d8c0),
             .grain = random("grain", 0.12f, 0.28f),
             .size = {random("wave", 0.14f, 0.3f), random("height", 0.025f, 0.06f)}});
}

void sand(Canvas& canvas, const Random& random) {
  const Colour near = between(random.of("near"), 0xd8b878, 0xc89a66);
  landscape(canvas, random,
            {.near = near,
             .far = mix(near, between(random.of("far"), 0xe8d4a4, 0xc8a880), 0.6f),
             .high = between(random.of("high"), 0x78b0e0, 0xd0c8b8),
             .low = between(random.of("low"), 0xd8e4e8, 0xf0e0c4),
             .grain = random("grain", 0.04f, 0.14f),
             .size = {random("ripple", 0.06f, 0.25f), random("height", 0.03f, 0.09f)}});
}

void snow(Canvas& canvas, const Random& random) {
  const Colour near = between(random.of("near"), 0xe4ecf4, 0xd4dfee);
  landscape(canvas, random,
            {.near = near,
             .far = mix(near, rgb(0xf4f6fa), 0.5f),
             .high = between(random.of("high"), 0x8cb4dc, 0xb0b8c4),
             .low = between(random.of("low"), 0xd0dce8, 0xc4c8d0),
             .grain = random("grain", 0.03f, 0.1f),
             .size = {random("drift", 0.12f, 0.4f), random("height", 0.06f, 0.16f)}});
}

// A wall, plain, striped or panelled, a skirting board and a floor of boards or carpet.
void room(Canvas& canvas, const Random& random) {
  constexpr uint32_t kWalls[] = {0xd8c8a8, 0xb8c8b0, 0xa8bcc8, 0xd4b0a0,
                                 0xc8c4bc, 0xe4dcc8, 0x98a8a0, 0xb89cb0};
  constexpr uint32_t kFloors[] = {0x9a6a40, 0xb88a58, 0x7a5a44, 0x8a8a90, 0xa8605a, 0x5a6a88};
  const Colour wall = random("light", 0.8f, 1.1f) * rgb(kWalls[random.below("wall", 8)]);
  const Colour floor = random("lamp", 0.8f, 1.15f) * rgb(kFloors[random.below("floor", 6)]);
  const float corner = random("corner", 0.12f, 0.5f), board = random("board", 0.02f, 0.05f);
  const float stripes = random.chance("striped", 0.45f) ? random("stripe", 0.03f, 0.1f) : 0;
  const float width = random("width", 6, 22), boards = random("boards", 3, 9);
  const bool carpet = random.chance("carpet", 0.4f);
  const Vec2 shift{random("shift x", 0, 64), random("shift y", 0, 64)};
  fill(canvas, [&](float x, float y) {
    if (y > corner) {
      if (y < corner + board) return 1.12f * wall;
      const float wave = x * width + shift.x, part = wave - std::floor(wave);
      return (1 + (part < 0.5f ? stripes : -stripes) + 0.06f * (y - corner) +
              0.02f * noise({9 * x + shift.x, 9 * y + shift.y})) *
             wall;
    }
    if (carpet)
      return (1 + 0.1f * noise({40 * x + shift.x, 40 * y + shift.y}) - 0.15f * (corner - y)) * floor;
    const float along = (x - 0.5f) / (1.35f - y) * boards + shift.x, part = along - std::floor(along);
    return (1 + (part < 0.1f ? -0.2f : 0.0f) + 0.07f * noise({std::floor(along) * 7.3f, 3 * y + shift.y}) +
            0.06f * noise({along * 6, 8 * y})) *
           floor;
  });
}

// Blotches of any colour.
void blotches(Canvas& canvas, const Random& random) {
  const auto any = [](const Random& r) {
    return Colour{r("red", 0.1f, 0.95f), r("green", 0.1f, 0.95f), r("blue", 0.1f, 0.95f)};
  };
  const Colour a = any(random.of("a")), b = any(random.of("b")), c = any(random.of("c"));
  const float size = random("size", 3, 14), fine = random("fine", 16, 40),
              grain = random("grain", 0.05f, 0.25f);
  const Vec2 shift{random("shift x", 0, 64), random("shift y", 0, 64)};
  fill(canvas, [&](float x, float y) {
    const float t = 0.5f + 0.6f * noise({size * x + shift.x, size * y + shift.y});
    const float u = 0.5f + 0.6f * noise({0.6f * size * x + shift.y, 0.6f * size * y + shift.x});
    return mix(mix(a, b, t), c, u) + grain * noise({fine * x, fine * y + shift.x}) * Colour{1, 1, 1};
  });
}

}  // namespace

void paint_background(Canvas& canvas, Background kind, const Random& random) {
  switch (kind) {
    case Background::grass:
      return grass(canvas, random);
    case Background::water:
      return water(canvas, random);
    case Background::sand:
      return sand(canvas, random);
    case Background::snow:
      return snow(canvas, random);
    case Background::room:
      return room(canvas, random);
    case Background::noise:
      return blotches(canvas, random);
  }
}

}  // namespace loupe::zoo
