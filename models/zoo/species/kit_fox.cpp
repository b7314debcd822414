// A small slim fox of the desert: huge ears, a narrow pointed face, a sandy coat and a bushy tail with a
// black tip.
#include "models/zoo/species/quadruped.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "head", "ears"};

struct Fur {
  Colour sand, pale;
};

void ear(Canvas& canvas, Vec2 inner, Vec2 outer, Vec2 tip, Colour back) {
  const Vec2 middle = mix(inner, outer, 0.5f);
  canvas.paint("ears",
               outline({inner, mix(inner, tip, 0.55f) + 0.1f * (inner - outer), tip,
                        mix(outer, tip, 0.5f) + 0.16f * (outer - inner), outer}),
               {.colour = back, .round = 0.2f});
  const auto in = [&](Vec2 p) { return mix(middle + 0.45f * (tip - middle), p, 0.66f); };
  canvas.mark(outline({in(inner), in(mix(inner, tip, 0.55f)), in(tip), in(mix(outer, tip, 0.5f)), in(outer)}),
              {.colour = rgb(0xf0c8b0), .round = 0});
}

// The skull is about one unit in radius, the ears twice as long.
void front_face(Canvas& canvas, const Random& random, const Fur& fur) {
  const float spread = random("spread", -0.1f, 0.2f);
  for (const float side : {-1.0f, 1.0f})
    ear(canvas, {side * 0.12f, 0.6f}, {side * 1.0f, 0.3f}, {side * (1.15f + spread), 2.5f}, fur.sand);
  const Shape skull = blend(0.2f, {ellipse({0, 0.15f}, {0.9f, 0.7f}),
                                   polygon({{-1.05f, 0.05f}, {1.05f, 0.05f}, {0, -1.05f}}, 0.1f)});
  canvas.paint("head", skull, {.colour = fur.sand, .round = 0.35f});
  for (const float side : {-1.0f, 1.0f})
    canvas.mark(outline({{side * 1.15f, -0.05f},
                         {side * 0.5f, -0.12f},
                         {side * 0.14f, -0.62f},
                         {side * 0.1f, -1.1f},
                         {side * 0.6f, -0.7f}}) &
                    skull,
                {.colour = fur.pale, .round = 0});
  for (const float side : {-1.0f, 1.0f}) {
    canvas.mark(ellipse({side * 0.42f, 0.12f}, {0.2f, 0.17f}, side * 20),
                {.colour = rgb(0x241810), .round = 0});
    canvas.mark(circle({side * 0.42f + 0.06f, 0.18f}, 0.06f), {.colour = {1, 1, 1}, .round = 0});
  }
  canvas.mark(circle({0, -0.98f}, 0.2f), {.colour = rgb(0x141210), .round = 0});
}

void side_face(Canvas& canvas, const Random& random, const Fur& fur) {
  const float back = random("spread", -0.2f, 0.15f);
  ear(canvas, {0.5f, 0.55f}, {-0.05f, 0.6f}, {0.55f + back, 2.5f}, 0.8f * fur.sand);
  const Shape skull = blend(
      0.3f, {ellipse({0, 0.05f}, {0.85f, 0.72f}), limb({{{0.4f, -0.1f}, 0.45f}, {{1.55f, -0.45f}, 0.15f}})});
  canvas.paint("head", skull, {.colour = fur.sand, .round = 0.35f});
  canvas.mark(
      outline({{-0.5f, -0.5f}, {0.4f, -0.28f}, {1.6f, -0.42f}, {1.5f, -0.75f}, {0.2f, -0.85f}}) & skull,
      {.colour = fur.pale, .round = 0});
  ear(canvas, {0.2f, 0.5f}, {-0.75f, 0.3f}, {-0.4f + back, 2.6f}, fur.sand);
  canvas.mark(ellipse({0.48f, 0.12f}, {0.2f, 0.16f}, -15), {.colour = rgb(0x241810), .round = 0});
  canvas.mark(circle({0.54f, 0.18f}, 0.06f), {.colour = {1, 1, 1}, .round = 0});
  canvas.mark(circle({1.66f, -0.42f}, 0.19f), {.colour = rgb(0x141210), .round = 0});
}

void draw(Canvas& canvas, const Random& random) {
  const Colour sand = random("light", 0.9f, 1.06f) * mix(rgb(0xd8a860), rgb(0xc89a6c), random.unit("grey"));
  const Fur fur{sand, mix(sand, rgb(0xfff6e6), 0.75f)};
  const Material coat{
      .colour = sand,
      .round = 0.14f,
      .grain = 0.1f,
      .grain_size = {0.08f, 0.04f},
      .pattern = [=](Vec2 p, Colour plain) { return mix(fur.pale, plain, step(-0.16f, -0.02f, p.y)); }};
  const Gait g = gait(random);
  const auto legs = [&](int side) {
    const float shift = side == 1 ? 0.07f : 0.0f;
    canvas.paint("legs",
                 front_leg({0.3f + shift, -0.1f}, 0.68f, 0.06f, g.front[side]) |
                     hind_leg({-0.4f + shift, -0.04f}, 0.74f, 0.065f, g.hind[side]),
                 {.colour = side == 1 ? 0.72f * sand : sand, .round = 0.1f});
  };
  legs(1);

  // The tail is almost as long as the body.
  const float lift = random("lift", -25, 30);
  const auto back = [&](Vec2 p) { return Vec2{-0.55f, 0.06f} + rotate(p, -lift); };
  const Shape tail = tube({{back({0, 0}), 0.07f},
                           {back({-0.3f, 0}), 0.13f},
                           {back({-0.6f, -0.1f}), 0.17f},
                           {back({-0.9f, -0.1f}), 0.12f},
                           {back({-1.04f, -0.05f}), 0.04f}});
  canvas.paint("tail", tail, {.colour = sand, .round = 0.15f, .grain = 0.14f, .grain_size = {0.07f, 0.04f}});
  canvas.mark(tail & circle(back({-1.1f, -0.07f}), 0.3f), {.colour = rgb(0x2a2018), .round = 0.1f});

  const Vec2 head = Vec2{0.56f, 0.36f} + Vec2{0, random("head", -0.12f, 0.08f)};
  canvas.paint("body",
               blend(0.12f, {ellipse({-0.08f, 0.02f}, {0.45f, 0.18f}), ellipse({-0.38f, 0.03f}, {0.2f, 0.2f}),
                             ellipse({0.22f, 0}, {0.2f, 0.2f}),
                             limb({{{0.25f, 0.05f}, 0.17f}, {head - Vec2{0.06f, 0.06f}, 0.13f}})}),
               coat);
  legs(0);
  canvas.nested(head, random("nod", -14, 10), 0.27f, [&] {
    random.chance("looks at us", 0.5f) ? front_face(canvas, random, fur) : side_face(canvas, random, fur);
  });
}

}  // namespace

extern const Species kit_fox;
const Species kit_fox{kParts, draw};

}  // namespace loupe::zoo
