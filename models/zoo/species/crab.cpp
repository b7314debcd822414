// A wide shell on four pairs of jointed legs, eyes on stalks, and two big claws held up.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "shell", "claws", "eyes"};

constexpr uint32_t kColours[] = {0xc8382c, 0xe07a34, 0x94603c, 0x6c7e90, 0xb8885c};

// A palm with two curved fingers, which points up; `side` -1 is the left one, whose thumb is at its right.
void paint_claw(Canvas& canvas, Colour colour, float side, float gape) {
  const auto at = [side](float x, float y) { return Vec2{side * x, y}; };
  const Shape palm = ellipse({0, 0.05f}, {0.25f, 0.27f});
  const Shape finger = tube({{at(0.12f, 0.15f), 0.14f}, {at(0.25f, 0.42f), 0.11f}, {at(0.1f, 0.72f), 0.04f}});
  const Shape thumb = place(tube({{{0, 0}, 0.11f}, {at(-0.1f, 0.22f), 0.09f}, {at(0, 0.46f), 0.035f}}),
                            at(-0.17f, 0.15f), side * gape);
  canvas.paint("claws", blend(0.06f, {palm, finger}) | thumb,
               {.colour = colour, .round = 0.14f, .grain = 0.1f, .grain_size = {0.1f, 0.1f}});
}

void draw(Canvas& canvas, const Random& random) {
  const Colour colour = random("light", 0.85f, 1.1f) * mix(rgb(kColours[random.below("colour", 5)]),
                                                           rgb(kColours[random.below("blend", 5)]), 0.2f);
  const Colour pale = mix(colour, rgb(0xf0dcc0), 0.45f), dark = 0.62f * colour;
  const bool above = random.chance("from above", 0.4f);
  const float wide = random("wide", 0.6f, 0.72f), high = above ? random("high", 0.44f, 0.5f) : 0.38f;

  for (const float side : {-1.0f, 1.0f}) {
    const Random half = random.of("side", side > 0);
    // Legs fan out when seen from above; from the front their knees stand high.
    for (uint64_t i = 0; i < 4; ++i) {
      const auto n = static_cast<float>(i);
      const float swing = half.of("leg", i)("swing", -7, 7);
      const float out = above ? 22 - 27 * n + swing : 38 - 26 * n + swing;
      const float down = above ? out - 24 : -66 - 14 * n + swing;
      const Vec2 hip{0.78f * wide, above ? 0.14f - 0.15f * n : 0.02f - 0.08f * n};
      const Vec2 knee = hip + polar(out, 0.55f - 0.03f * n), foot = knee + polar(down, 0.52f - 0.06f * n);
      const auto at = [&](Vec2 p) { return Vec2{side * p.x, p.y}; };
      canvas.paint("legs", limb({{at(hip), 0.08f}, {at(knee), 0.07f}, {at(foot), 0.03f}}),
                   {.colour = (i % 2 == 0 ? 0.92f : 0.78f) * colour, .round = 0.09f});
    }
  }
  for (const float side : {-1.0f, 1.0f}) {
    const Random half = random.of("side", side > 0);
    const Vec2 shoulder{side * 0.62f * wide, 0.6f * high}, elbow{side * half("elbow", 0.85f, 1.0f), 0.45f};
    const Vec2 wrist{side * half("reach", 0.72f, 0.95f), half("raise", 0.68f, 0.85f)};
    canvas.paint("claws", limb({{shoulder, 0.12f}, {elbow, 0.11f}, {wrist, 0.13f}}),
                 {.colour = 0.9f * colour, .round = 0.12f});
    canvas.nested(wrist, side * half("turn", -8, 26), half("size", 0.95f, 1.25f),
                  [&] { paint_claw(canvas, colour, side, half("gape", -8, 16)); });
  }

  for (const float side : {-1.0f, 1.0f}) {
    const Vec2 root{side * 0.16f, 0.8f * high}, eye{side * random("apart", 0.18f, 0.24f), high + 0.2f};
    canvas.paint("eyes", limb({{root, 0.06f}, {eye, 0.055f}}), {.colour = pale, .round = 0.06f});
    canvas.paint("eyes", circle(eye, 0.105f), {.colour = rgb(0x18141a), .round = 0.1f});
    canvas.mark(circle(eye + Vec2{0.03f, 0.04f}, 0.035f), {.colour = {1, 1, 1}, .round = 0});
  }

  // The shell is broader in front (above) than behind, with a knobbly back or a pale mouth.
  const Shape shell = outline({{-wide, 0.3f * high},
                               {-0.55f * wide, 0.92f * high},
                               {0, high},
                               {0.55f * wide, 0.92f * high},
                               {wide, 0.3f * high},
                               {0.62f * wide, -0.8f * high},
                               {0, -high},
                               {-0.62f * wide, -0.8f * high}});
  canvas.paint("shell", shell,
               {.colour = colour, .round = 0.26f, .grain = 0.1f, .grain_size = {0.09f, 0.09f}});
  if (above) {
    std::vector<Joint> knobs;
    for (uint64_t i = 0; i < 9; ++i) {
      const Random one = random.of("knob", i);
      knobs.push_back(
          {{one("x", -0.7f, 0.7f) * wide, one("y", -0.6f, 0.7f) * high}, one("size", 0.03f, 0.07f)});
    }
    canvas.mark(dots(knobs) & shell,
                {.colour = random.chance("pale knobs", 0.5f) ? pale : dark, .round = 0.05f});
  } else {
    canvas.mark(ellipse({0, -0.75f * high}, {0.6f * wide, 0.55f * high}) & shell,
                {.colour = pale, .round = 0.1f});
    canvas.mark(limb({{{-0.16f, -0.3f * high}, 0.035f},
                      {{0, -0.38f * high}, 0.035f},
                      {{0.16f, -0.3f * high}, 0.035f}}),
                {.colour = dark, .round = 0});
  }
}

}  // namespace

extern const Species crab;
const Species crab{kParts, draw};

}  // namespace loupe::zoo
