// Things of no class, behind the objects and in front of them.
#include <array>

#include "models/zoo/scenery.h"

namespace loupe::zoo {
namespace {

constexpr float kSide = static_cast<float>(kSize);

Colour any_colour(const Random& r) {
  return {r("red", 0.15f, 0.9f), r("green", 0.15f, 0.9f), r("blue", 0.15f, 0.9f)};
}
Colour wood(const Random& r) {
  return r("wood light", 0.7f, 1.15f) * mix(rgb(0x6a4a30), rgb(0x9a7a58), r.unit("wood"));
}
Colour leaf(const Random& r) {
  return r("leaf light", 0.7f, 1.15f) * mix(rgb(0x3f7a34), rgb(0x7a9a3c), r.unit("leaf"));
}

// ---- behind: each fills about [-1, 1] in both directions

void ball(Canvas& canvas, const Random& r) {
  const Colour plain = any_colour(r), other = any_colour(r.of("other"));
  const bool beach = r.chance("beach", 0.5f);
  const float turn = r("turn", 0, 360);
  canvas.mark(circle({0, 0}, 1), {.colour = plain, .round = 0.9f, .pattern = [=](Vec2 p, Colour c) {
                                    if (!beach) return c;
                                    const Vec2 q = rotate(p, turn);
                                    return std::fabs(q.x) < 0.35f ? other : c;
                                  }});
  canvas.mark(circle({-0.35f, 0.45f}, 0.16f), {.colour = {1, 1, 1}, .soft = 0.2f, .opacity = 0.6f});
}

void stone(Canvas& canvas, const Random& r) {
  const Colour grey = r("light", 0.6f, 1.1f) * mix(rgb(0x8a8680), rgb(0xa89a88), r.unit("grey"));
  canvas.mark(blend(0.3f, {ellipse({-0.2f, 0}, {0.8f, r("height", 0.4f, 0.65f)}, r("tilt", -15, 15)),
                           ellipse({0.4f, -0.1f}, {0.55f, 0.4f})}),
              {.colour = grey, .round = 0.4f, .grain = 0.15f, .grain_size = {0.18f, 0.18f}});
}

void tree(Canvas& canvas, const Random& r) {
  canvas.mark(limb({{{0, -1}, 0.14f}, {{0.03f, 0.2f}, 0.08f}}), {.colour = wood(r), .round = 0.1f});
  if (r.chance("fir", 0.4f)) {
    for (int i = 0; i < 3; ++i) {
      const float y = -0.5f + 0.45f * static_cast<float>(i), half = 0.65f - 0.15f * static_cast<float>(i);
      canvas.mark(polygon({{-half, y}, {half, y}, {0, y + 0.65f}}, 0.03f),
                  {.colour = leaf(r), .round = 0.3f});
    }
    return;
  }
  canvas.mark(
      blend(0.1f, {circle({-0.35f, 0.35f}, 0.4f), circle({0.35f, 0.35f}, 0.38f), circle({0, 0.62f}, 0.4f)}),
      {.colour = leaf(r), .round = 0.4f, .grain = 0.25f, .grain_size = {0.14f, 0.14f}});
}

void cloud(Canvas& canvas, const Random& r) {
  canvas.mark(
      blend(0.2f, {ellipse({0, -0.1f}, {0.95f, 0.28f}), circle({-0.35f, 0.1f}, 0.34f),
                   circle({0.25f, 0.15f}, 0.4f)}),
      {.colour = r("light", 0.8f, 1.0f) * Colour{1, 1, 1}, .round = 0.4f, .soft = 0.12f, .opacity = 0.9f});
}

void box(Canvas& canvas, const Random& r) {
  const Colour c = r.chance("crate", 0.5f) ? wood(r) : any_colour(r);
  const float h = r("height", 0.5f, 0.8f);
  canvas.mark(polygon({{-0.8f, -h}, {0.45f, -h}, {0.45f, h}, {-0.8f, h}}), {.colour = c, .round = 0});
  canvas.mark(polygon({{0.45f, -h}, {0.85f, 0.25f - h}, {0.85f, h + 0.25f}, {0.45f, h}}),
              {.colour = 0.7f * c, .round = 0});
  canvas.mark(polygon({{-0.8f, h}, {0.45f, h}, {0.85f, h + 0.25f}, {-0.4f, h + 0.25f}}),
              {.colour = 1.2f * c, .round = 0});
}

void plant(Canvas& canvas, const Random& r) {
  for (int i = 0; i < 5; ++i) {
    const Random one = r.of("blade", static_cast<uint64_t>(i));
    const float lean = one("lean", -0.8f, 0.8f), up = one("up", 0.4f, 1.0f);
    canvas.mark(tube({{{0.1f * lean, -0.9f}, 0.1f}, {{0.3f * lean, up - 0.7f}, 0.13f}, {{lean, up}, 0.02f}}),
                {.colour = one("light", 0.75f, 1.15f) * leaf(r), .round = 0.08f});
  }
  if (r.chance("pot", 0.4f))
    canvas.mark(polygon({{-0.4f, -0.4f}, {0.4f, -0.4f}, {0.28f, -1}, {-0.28f, -1}}),
                {.colour = rgb(0xb8623c), .round = 0.3f});
}

void fence(Canvas& canvas, const Random& r) {
  const Colour c = r.chance("white", 0.4f) ? rgb(0xe8e4dc) : wood(r);
  Shape all = polygon({{-1, -0.15f}, {1, -0.15f}, {1, 0}, {-1, 0}}) |
              polygon({{-1, 0.35f}, {1, 0.35f}, {1, 0.5f}, {-1, 0.5f}});
  for (int i = 0; i < 4; ++i) {
    const float x = -0.75f + 0.5f * static_cast<float>(i);
    all = all |
          polygon({{x - 0.1f, -0.7f}, {x + 0.1f, -0.7f}, {x + 0.1f, 0.65f}, {x, 0.8f}, {x - 0.1f, 0.65f}});
  }
  canvas.mark(all, {.colour = c, .round = 0.06f});
}

// ---- in front: in pixels

Shape blades(const Random& r, float size) {
  Shape all;
  const float middle = r("middle", 10, 54);
  for (int i = 0; i < 6; ++i) {
    const Random one = r.of("blade", static_cast<uint64_t>(i));
    const float x = middle + one("x", -16, 16), lean = one("lean", -6, 6), up = size * one("up", 8, 26);
    all = all | limb({{{x, -1}, 1.3f}, {{x + 0.3f * lean, 0.6f * up}, 1.0f}, {{x + lean, up}, 0.3f}});
  }
  return all;
}

Shape branch(const Random& r, float size) {
  const float side = r.chance("left", 0.5f) ? 0 : kSide, inward = side > 0 ? -1.0f : 1.0f;
  const float y = r("y", 12, 60), reach = side + inward * size * r("reach", 18, 44),
              end = y + r("rise", -14, 14);
  Shape all =
      tube({{{side, y}, 1.6f}, {{0.5f * (side + reach), 0.5f * (y + end) + 2}, 1.2f}, {{reach, end}, 0.5f}});
  for (int i = 0; i < 4; ++i) {
    const Random one = r.of("leaf", static_cast<uint64_t>(i));
    const float t = one("t", 0.3f, 1.0f);
    all = all | ellipse({mix(side, reach, t), mix(y, end, t) + one("off", -3, 3)}, {2.6f, 1.4f},
                        one("turn", -60, 60));
  }
  return all;
}

Shape bar(const Random& r, float size) {
  const float at = r("at", 6, 58), half = size * r("half", 0.8f, 2.2f), lean = r("lean", -4, 4);
  return r.chance("upright", 0.5f) ? limb({{{at, -3}, half}, {{at + lean, kSide + 3}, half}})
                                   : limb({{{-3, at}, half}, {{kSide + 3, at + lean}, half}});
}

Shape disc(const Random& r, float size) {
  return circle({r("x", 4, 60), r("y", 4, 60)}, size * r("radius", 3, 8));
}

}  // namespace

void paint_distractors(Canvas& canvas, const Random& random) {
  using Thing = void (*)(Canvas&, const Random&);
  constexpr std::array<Thing, 7> kThings{ball, stone, tree, cloud, box, plant, fence};
  const int count = random.below("count", 4);
  for (int i = 0; i < count; ++i) {
    const Random one = random.of("thing", static_cast<uint64_t>(i));
    const Thing thing = kThings[static_cast<size_t>(one.below("kind", static_cast<int>(kThings.size())))];
    const float size = one("size", 4, 13);
    const float x = one("x", 3, kSide - 3), y = thing == cloud ? one("sky", 44, 60) : one("y", 8, 50);
    canvas.set_frame(Frame({x, y}, size, one("tilt", -8, 8)));
    thing(canvas, one);
  }
}

void paint_occluder(Canvas& canvas, const Random& random) {
  if (!random.chance("any", 0.4f)) return;
  canvas.set_frame(Frame({0, 0}, 1));
  const int kind = random.below("kind", 4);
  // Elsewhere and smaller, until it covers little enough.
  for (uint64_t attempt = 0; attempt < 4; ++attempt) {
    const Random one = random.of("attempt", attempt);
    const float size = 1 - 0.15f * static_cast<float>(attempt);
    const Shape shape = kind == 0   ? blades(one, size)
                        : kind == 1 ? branch(one, size)
                        : kind == 2 ? bar(one, size)
                                    : disc(one, size);
    if (canvas.would_cover(shape) > kMostCovered) continue;
    const Colour colour = kind == 0   ? leaf(random)
                          : kind == 1 ? mix(wood(random), leaf(random), 0.4f)
                                      : any_colour(random);
    canvas.mark(
        shape,
        {.colour = colour, .round = kind == 3 ? 4.0f : 1.5f, .grain = 0.1f, .grain_size = {1.5f, 1.5f}});
    return;
  }
}

}  // namespace loupe::zoo
