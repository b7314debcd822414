// A slender white dog with black spots, hanging black ears and a long thin tail.
#include "models/zoo/species/quadruped.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "head", "ears", "spots"};

// Spots on a grid whose points were moved about: they cover evenly and do not look it.
Shape spots(const Random& random, Box area, float apart) {
  std::vector<Joint> discs;
  uint64_t i = 0;
  for (float y = area.low.y; y < area.high.y; y += apart)
    for (float x = area.low.x; x < area.high.x; x += apart) {
      const Random one = random.of("spot", i++);
      if (one.chance("none", 0.12f)) continue;
      discs.push_back({{x + one("x", -0.35f, 0.35f) * apart, y + one("y", -0.35f, 0.35f) * apart},
                       apart * one("size", 0.2f, 0.38f)});
    }
  return dots(discs);
}

void draw(Canvas& canvas, const Random& random) {
  const float light = random("light", 0.9f, 1.0f);
  const Colour white = light * mix(rgb(0xf8f8f6), rgb(0xf2eadc), random.unit("cream"));
  const Colour black = mix(rgb(0x1c1a1a), rgb(0x3a2a22), random.unit("brown"));
  const Material coat{.colour = white, .round = 0.16f};
  const Material dark{.colour = black, .round = 0.1f};
  const Gait g = gait(random);
  const Shape dotted = spots(random, {{-1, -0.95f}, {0.75f, 0.6f}}, 0.235f);

  const auto legs = [&](int side) {
    const float shift = side == 1 ? 0.07f : 0.0f;
    const Shape shape = front_leg({0.36f + shift, -0.12f}, 0.78f, 0.08f, g.front[side]) |
                        hind_leg({-0.5f + shift, -0.02f}, 0.86f, 0.085f, g.hind[side]);
    canvas.paint("legs", shape, side == 1 ? Material{.colour = 0.72f * white, .round = 0.1f} : coat);
    canvas.paint("spots", dotted & grow(shape, -0.01f), dark);
  };
  legs(1);

  const float wag = random("wag", -25, 40);
  const Vec2 root{-0.7f, 0.14f}, mid = root + polar(165 - wag, 0.35f),
                                 tip = mid + polar(140 - 1.3f * wag, 0.35f);
  canvas.paint("tail", tube({{root, 0.075f}, {mid, 0.055f}, {tip, 0.035f}}), coat);

  const float nod = random("nod", -22, 16);
  const Vec2 head = Vec2{0.42f, 0.14f} + rotate({0.3f, 0.42f}, 0.5f * nod);
  const Shape body = blend(
      0.14f, {ellipse({0.24f, -0.02f}, {0.34f, 0.31f}, 10), ellipse({-0.15f, 0.02f}, {0.5f, 0.22f}, 5),
              ellipse({-0.52f, 0.04f}, {0.26f, 0.25f}), limb({{{0.34f, 0.08f}, 0.22f}, {head, 0.16f}})});
  canvas.paint("body", body, coat);
  canvas.paint("spots", dotted & grow(body, -0.01f), dark);
  legs(0);

  canvas.nested(head, nod, 0.25f, [&] {
    const Shape skull = blend(
        0.5f, {ellipse({0, 0.1f}, {0.95f, 0.85f}), limb({{{0.5f, -0.2f}, 0.56f}, {{1.5f, -0.38f}, 0.4f}})});
    canvas.paint("head", skull, {.colour = white, .round = 0.5f});
    canvas.paint("spots",
                 dots(std::array<Joint, 3>{
                     Joint{{0.15f, 0.62f}, 0.2f}, {{0.85f, -0.62f}, 0.17f}, {{1.2f, -0.2f}, 0.12f}}) &
                     skull,
                 dark);
    canvas.mark(ellipse({1.82f, -0.18f}, {0.26f, 0.22f}), {.colour = rgb(0x141212), .round = 0});
    canvas.mark(limb({{{1.7f, -0.62f}, 0.07f}, {{0.95f, -0.66f}, 0.07f}}),
                {.colour = rgb(0x5a3a3a), .round = 0});
    canvas.mark(circle({0.55f, 0.22f}, 0.2f), {.colour = rgb(0x241814), .round = 0});
    canvas.mark(circle({0.6f, 0.3f}, 0.06f), {.colour = {1, 1, 1}, .round = 0});
    // A spaniel's ears are longer; a dalmatian's end at the jaw.
    const float swing = random("ear", -12, 14);
    canvas.paint(
        "ears",
        place(outline({{0.2f, 0.15f}, {-0.35f, 0.2f}, {-0.62f, -0.5f}, {-0.35f, -1.25f}, {0.12f, -0.9f}}),
              {-0.3f, 0.62f}, swing),
        {.colour = black, .round = 0.4f});
  });
}

}  // namespace

extern const Species dalmatian;
const Species dalmatian{kParts, draw};

}  // namespace loupe::zoo
