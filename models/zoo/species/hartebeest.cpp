// A tall antelope whose back slopes down from high shoulders, with a very long narrow face and ringed horns
// that bend like a lyre.
#include "models/zoo/species/quadruped.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "head", "ears", "horns"};

void draw(Canvas& canvas, const Random& random) {
  const Colour tan = random("light", 0.9f, 1.05f) * mix(rgb(0xb8763c), rgb(0xc8944e), random.unit("tan"));
  const Colour pale = mix(tan, rgb(0xf4e4c4), 0.6f), dark = mix(tan, rgb(0x2a1c14), 0.75f);
  const Material coat{
      .colour = tan,
      .round = 0.16f,
      .grain = 0.05f,
      .grain_size = {0.1f, 0.06f},
      .pattern = [=](Vec2 p, Colour plain) {
        return mix(pale, plain,
                   step(-0.22f, -0.02f, p.y + 0.2f * p.x + (p.x < -0.5f ? 0.6f * (p.x + 0.5f) : 0.0f)));
      }};
  const Gait g = gait(random);
  const auto hoofed = [&](Shape leg, Colour c) {
    canvas.paint("legs", leg, {.colour = c, .round = 0.08f, .pattern = [=](Vec2 p, Colour plain) {
                                 return mix(rgb(0x241c18), plain, step(-0.98f, -0.9f, p.y));
                               }});
  };
  const auto legs = [&](int side) {
    const float shift = side == 1 ? 0.08f : 0.0f, shade = side == 1 ? 0.7f : 1.0f;
    hoofed(hind_leg({-0.5f + shift, -0.06f}, 0.92f, 0.062f, g.hind[side]), shade * pale);
    hoofed(front_leg({0.3f + shift, -0.05f}, 0.94f, 0.062f, g.front[side]), shade * mix(tan, dark, 0.4f));
  };
  legs(1);

  const float swish = random("swish", -15, 12);
  const Vec2 root{-0.68f, 0.1f}, tip = root + rotate({-0.08f, -0.45f}, swish);
  canvas.paint("tail",
               limb({{root, 0.035f}, {mix(root, tip, 0.6f), 0.03f}}) |
                   limb({{mix(root, tip, 0.5f), 0.045f}, {tip, 0.05f}}),
               {.colour = rgb(0x2a1e18), .round = 0.05f});

  const bool grazes = random.chance("grazes", 0.12f);
  const float raise = random("raise", -14, 10);
  const Vec2 head = grazes ? Vec2{0.92f, -0.3f} : Vec2{0.3f, 0.28f} + rotate({0.42f, 0.62f}, raise);
  canvas.paint(
      "body",
      blend(0.15f, {ellipse({0.24f, 0.12f}, {0.3f, 0.34f}), ellipse({-0.1f, 0.04f}, {0.48f, 0.24f}, 12),
                    ellipse({-0.5f, 0}, {0.23f, 0.22f}),
                    limb({{{0.3f, 0.24f}, 0.24f}, {mix({0.3f, 0.24f}, head, 0.5f), 0.15f}, {head, 0.12f}})}),
      coat);
  legs(0);

  const float nod = grazes ? random("graze", -48, -34) : random("nod", -12, 14) - 22;
  canvas.nested(head, nod, 0.24f, [&] {
    const Material horn{.colour = rgb(0x3c322c), .round = 0.18f, .pattern = [](Vec2 p, Colour plain) {
                          const float ring = 3.2f * p.y - std::floor(3.2f * p.y);
                          return ring < 0.4f ? 1.7f * plain : plain;
                        }};
    canvas.nested({0, 0}, -0.5f * nod, 1, [&] {  // up from the brow, then apart, then sharply back
      const float spread = random("spread", 0.85f, 1.15f);
      canvas.paint("horns",
                   tube({{{0.1f, 0.4f}, 0.26f},
                         {{0.75f * spread, 0.85f}, 0.24f},
                         {{0.8f * spread, 1.5f}, 0.2f},
                         {{0.35f, 2.0f}, 0.16f},
                         {{0.4f, 2.6f}, 0.08f}}),
                   horn);
      canvas.paint("horns",
                   tube({{{-0.1f, 0.4f}, 0.26f},
                         {{-0.75f * spread, 0.95f}, 0.24f},
                         {{-0.85f * spread, 1.6f}, 0.2f},
                         {{-0.42f, 2.1f}, 0.16f},
                         {{-0.5f, 2.7f}, 0.08f}}),
                   horn);
    });
    canvas.paint("ears", ellipse({-0.75f, 0.35f}, {0.62f, 0.2f}, 165), {.colour = 0.9f * tan, .round = 0.2f});
    const Shape skull =
        blend(0.3f, {ellipse({0, 0.1f}, {0.55f, 0.58f}), limb({{{0.2f, 0}, 0.5f}, {{1.9f, -0.5f}, 0.34f}})});
    canvas.paint("head", skull, {.colour = tan, .round = 0.4f});
    canvas.mark(limb({{{0.45f, 0.4f}, 0.18f}, {{1.9f, -0.2f}, 0.14f}}) & skull, {.colour = dark, .round = 0});
    canvas.mark(ellipse({2.02f, -0.5f}, {0.26f, 0.32f}), {.colour = rgb(0x2a2020), .round = 0.1f});
    canvas.mark(circle({0.4f, 0.12f}, 0.16f), {.colour = rgb(0x140e0a), .round = 0});
  });
}

}  // namespace

extern const Species hartebeest;
const Species hartebeest{kParts, draw};

}  // namespace loupe::zoo
