// Three beads for a body - head, thorax and gaster -, six bent legs from the middle one, elbowed antennae and
// mandibles; from the side or from above.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "gaster", "thorax", "head", "antennae", "mandibles"};

constexpr uint32_t kColours[] = {0x2c2826, 0x5a3420, 0x9a3e22, 0x7c5a34, 0x404450};

// A leg from the thorax: femur to the knee, tibia to the ankle, and the foot.
Shape leg(Vec2 hip, Vec2 knee, Vec2 ankle, Vec2 foot) {
  return limb({{hip, 0.06f}, {knee, 0.065f}, {ankle, 0.05f}, {foot, 0.04f}});
}

void draw(Canvas& canvas, const Random& random) {
  const Colour colour = random("light", 0.85f, 1.2f) * rgb(kColours[random.below("colour", 5)]);
  const Colour dark = 0.6f * colour, shine = mix(colour, rgb(0xffffff), 0.45f);
  // Many species have a gaster of another colour.
  const Colour rear = random.chance("two colours", 0.4f) ? mix(colour, rgb(0x241c1c), 0.65f) : colour;
  const bool above = random.chance("from above", 0.4f);
  const Material skin{.colour = colour, .round = 0.16f};

  // The tripod gait: fore and hind leg of one side move with the middle one of the other.
  const float stride = random("stride", -0.14f, 0.14f);
  const auto legs = [&](float side) {
    const Colour c = (above || side > 0 ? 0.9f : 0.65f) * colour;
    for (int i = -1; i <= 1; ++i) {
      const auto n = static_cast<float>(i);
      const float swing = (i == 0 ? -side : side) * stride + random.of("leg", i + 1)("swing", -0.05f, 0.05f);
      const Vec2 hip{0.02f + 0.13f * n, above ? side * 0.06f : -0.06f};
      Vec2 knee, ankle, foot;
      if (above) {
        knee = hip + Vec2{0.22f * n + 0.6f * swing, side * 0.3f};
        ankle = knee + Vec2{0.28f * n + swing, side * 0.24f};
        foot = ankle + Vec2{0.16f * n, side * 0.1f};
      } else {
        const float shift = side > 0 ? 0 : 0.1f;
        knee = hip + Vec2{0.36f * n + shift + 0.7f * swing, i == 0 ? -0.06f : 0.26f};
        ankle = knee + Vec2{0.2f * n + swing, i == 0 ? -0.42f : -0.66f};
        foot = Vec2{ankle.x + (i < 0 ? -0.16f : 0.14f), -0.62f};
      }
      canvas.paint("legs", leg(hip, knee, ankle, foot), {.colour = c, .round = 0.08f});
    }
  };
  legs(-1);
  if (above) legs(1);

  const float droop = above ? 0 : random("droop", -14, 16),
              nod = above ? random("look", -16, 16) : random("nod", -25, 15);
  const float plump = random("plump", 0.9f, 1.12f);

  // The gaster hangs on a narrow waist.
  canvas.nested({-0.34f, 0.02f}, droop, 1, [&] {
    const Shape gaster =
        blend(0.1f, {ellipse({-0.46f, 0}, {0.44f * plump, 0.3f * plump}), circle({-0.12f, 0}, 0.1f)});
    canvas.paint("gaster", gaster, {.colour = rear, .round = 0.26f});
    for (const float x : {-0.4f, -0.58f, -0.74f})  // the seams of its plates
      canvas.mark(
          limb({{{x, -0.3f}, 0.018f}, {{x - 0.05f, 0}, 0.018f}, {{x, 0.3f}, 0.018f}}) & grow(gaster, -0.02f),
          {.colour = 0.55f * rear, .round = 0});
    canvas.mark(ellipse({-0.42f, 0.15f}, {0.18f, 0.06f}, -6),
                {.colour = shine, .round = 0, .soft = 0.08f, .opacity = 0.7f});
  });
  canvas.paint(
      "thorax",
      blend(0.06f, {ellipse({0.05f, 0.03f}, {0.29f, 0.18f}, 6), circle({-0.27f, above ? 0 : 0.04f}, 0.085f)}),
      skin);
  if (!above) legs(1);

  canvas.nested({0.36f, above ? 0.0f : 0.08f}, nod, 1, [&] {
    const auto antenna = [&](float side, Colour c) {
      const Random one = random.of("antenna", side > 0);
      const Vec2 root{0.3f, 0.1f * side};
      const Vec2 elbow =
          root + (above ? polar(side * one("scape", 42, 68), 0.42f) : polar(one("scape", 52, 84), 0.4f));
      const Vec2 tip =
          elbow + (above ? polar(side * one("whip", -14, 14), 0.44f) : polar(one("whip", -40, 0), 0.48f));
      canvas.paint("antennae", limb({{root, 0.045f}, {elbow, 0.05f}, {tip, 0.05f}}),
                   {.colour = c, .round = 0.06f});
    };
    antenna(-1, above ? colour : dark);
    const float gape = random("gape", 0, 18);
    for (const float side : {-1.0f, 1.0f})
      canvas.paint(
          "mandibles",
          place(tube({{{0, 0}, 0.06f}, {{0.16f, side * 0.06f}, 0.055f}, {{0.26f, side * -0.04f}, 0.025f}}),
                above ? Vec2{0.36f, side * 0.09f} : Vec2{0.38f, -0.12f + side * 0.05f},
                side * gape + (above ? 0.0f : -28.0f)),
          {.colour = mix(dark, rgb(0x8a5a30), 0.3f), .round = 0.06f});
    canvas.paint(
        "head",
        outline({{0, 0.14f}, {0.2f, 0.25f}, {0.42f, 0.14f}, {0.44f, -0.14f}, {0.2f, -0.25f}, {0, -0.14f}}),
        skin);
    canvas.mark(
        above ? circle({0.24f, 0.19f}, 0.055f) | circle({0.24f, -0.19f}, 0.055f)
              : ellipse({0.26f, 0.05f}, {0.085f, 0.07f}),
        {.colour = mix(0.3f * colour, shine, random.chance("pale eye", 0.5f) ? 0.9f : 0.0f), .round = 0});
    antenna(1, 0.9f * colour);
  });
}

}  // namespace

extern const Species ant;
const Species ant{kParts, draw};

}  // namespace loupe::zoo
