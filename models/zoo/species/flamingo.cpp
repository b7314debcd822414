// A pink bird on two very long thin legs, with an S-shaped neck and a bent bill that is black at its tip.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "body", "neck", "head", "beak", "tail"};

void draw(Canvas& canvas, const Random& random) {
  const float light = random("light", 0.92f, 1.05f);
  const Colour pink = light * mix(rgb(0xf07a94), rgb(0xf4a8a8), random.unit("pale"));
  const Colour deep = mix(pink, rgb(0xe0405c), 0.5f);
  const Colour leg = mix(rgb(0xd8707c), rgb(0xe89090), random.unit("leg"));
  const Material feathers{.colour = pink, .round = 0.16f, .grain = 0.07f, .grain_size = {0.16f, 0.06f}};

  // One leg is often drawn up: the knee (its heel) then points back.
  const bool one_legged = random.chance("one leg", 0.45f);
  const float sway = random("sway", -8, 8);
  const Vec2 hip{-0.08f, 0.12f};
  const auto straight = [&](Vec2 from, float swing, Colour c) {
    const Vec2 heel = from + rotate({0, -0.45f}, swing), foot = heel + rotate({0, -0.5f}, -0.5f * swing);
    canvas.paint("legs",
                 limb({{from, 0.05f}, {heel, 0.042f}, {foot, 0.04f}}) | circle(heel, 0.055f) |
                     limb({{foot, 0.045f}, {foot + Vec2{0.16f, -0.03f}, 0.04f}}),
                 {.colour = c, .round = 0.06f});
  };
  if (one_legged) {
    const Vec2 heel = hip + Vec2{0.1f, -0.4f};
    canvas.paint("legs", limb({{hip, 0.05f}, {heel, 0.042f}, {heel + Vec2{-0.34f, 0.12f}, 0.04f}}),
                 {.colour = 0.8f * leg, .round = 0.06f});
    straight(hip, 0.5f * sway, leg);
  } else {
    const float stride = random("stride", 4, 22);
    straight(hip + Vec2{0.06f, 0}, -stride, 0.8f * leg);
    straight(hip, stride, leg);
  }

  // The neck: an S from the breast up, or down to the water.
  const bool feeds = random.chance("feeds", 0.18f);
  const float bend = random("bend", -0.06f, 0.1f), reach = random("reach", -0.08f, 0.12f);
  Vec2 head{0.52f + reach, 1.15f + random("up", -0.1f, 0.1f)};
  Shape neck = tube({{{0.28f, 0.25f}, 0.15f},
                     {{0.54f + bend, 0.38f}, 0.1f},
                     {{0.46f, 0.66f}, 0.08f},
                     {{0.3f - bend, 0.94f}, 0.075f},
                     {{0.38f, 1.17f}, 0.08f},
                     {head, 0.09f}});
  if (feeds) {
    head = {0.82f + reach, -0.35f};
    neck = tube({{{0.28f, 0.28f}, 0.15f},
                 {{0.55f, 0.48f}, 0.1f},
                 {{0.82f + bend, 0.35f}, 0.08f},
                 {{0.86f, 0}, 0.075f},
                 {head, 0.085f}});
  }
  const float tilt = feeds ? random("tilt", -60, -30) : random("tilt", -24, 14);

  canvas.paint("tail", outline({{-0.45f, 0.4f}, {-0.82f, 0.1f}, {-0.62f, 0.02f}, {-0.35f, 0.14f}}),
               {.colour = deep, .round = 0.1f});
  const Shape body =
      blend(0.1f, {ellipse({-0.08f, 0.3f}, {0.45f, 0.27f}, 14), ellipse({0.2f, 0.26f}, {0.2f, 0.18f})});
  canvas.paint("body", body, feathers);
  canvas.paint("neck", neck, {.colour = pink, .round = 0.08f});
  // The folded wing.
  canvas.mark(outline({{0.12f, 0.42f}, {-0.25f, 0.48f}, {-0.62f, 0.16f}, {-0.3f, 0.12f}, {0.05f, 0.18f}}),
              {.colour = deep, .round = 0.1f, .grain = 0.12f, .grain_size = {0.12f, 0.05f}});

  canvas.nested(head, tilt, 0.11f, [&] {
    canvas.paint("head", ellipse({0.1f, 0}, {1.2f, 1.0f}), {.colour = pink, .round = 0.6f});
    const Shape beak = outline({{0.9f, 0.5f},
                                {1.9f, 0.35f},
                                {2.75f, -0.5f},
                                {2.7f, -1.75f},
                                {2.2f, -1.6f},
                                {1.7f, -0.75f},
                                {0.8f, -0.6f}});
    canvas.paint("beak", beak, {.colour = rgb(0xf4dcc8), .round = 0.4f});
    canvas.mark(beak & polygon({{1.7f, -0.7f}, {3.2f, -0.4f}, {3.2f, -2}, {1.7f, -2}}),
                {.colour = rgb(0x201c20), .round = 0});
    canvas.mark(circle({0.5f, 0.25f}, 0.32f), {.colour = rgb(0xf4e08c), .round = 0});
    canvas.mark(circle({0.52f, 0.25f}, 0.2f), {.colour = rgb(0x181010), .round = 0});
  });
}

}  // namespace

extern const Species flamingo;
const Species flamingo{kParts, draw};

}  // namespace loupe::zoo
