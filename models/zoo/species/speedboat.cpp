// A pointed hull with a stripe, a raked windscreen, a motor at the stern and, often, spray and somebody at
// the wheel.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"hull", "stripe", "windscreen", "motor", "deck", "driver", "spray"};

constexpr uint32_t kPaints[] = {0xf4f4f2, 0xd03030, 0x2858b0, 0xf0c030, 0x1c8c7c, 0x303840, 0xe87830};

void draw(Canvas& canvas, const Random& random) {
  const int paint = random.below("paint", 7), second = (paint + 1 + random.below("second", 6)) % 7;
  const Colour colour = random("light", 0.9f, 1.05f) * rgb(kPaints[paint]), stripe = rgb(kPaints[second]);
  const float sheer = random("sheer", 0, 0.1f), bow = random("bow", 0.98f, 1.12f);

  // The outboard motor hangs behind the stern.
  canvas.paint("motor",
               polygon({{-1.12f, 0.08f}, {-0.9f, 0.12f}, {-0.88f, -0.12f}, {-1.08f, -0.12f}}, 0.04f) |
                   limb({{{-1.0f, -0.1f}, 0.05f}, {{-1.02f, -0.42f}, 0.05f}}),
               {.colour = rgb(0x2a2c30), .round = 0.08f});

  if (random.chance("driver", 0.6f)) {
    const Colour skin = mix(rgb(0xe8b890), rgb(0x7a4c30), random.unit("skin"));
    const uint32_t jacket = kPaints[random.below("jacket", 7)];
    canvas.paint("driver", limb({{{-0.28f, 0.1f}, 0.12f}, {{-0.26f, 0.3f}, 0.1f}}),
                 {.colour = rgb(jacket), .round = 0.1f});
    canvas.paint("driver", circle({-0.24f, 0.48f}, 0.1f), {.colour = skin, .round = 0.1f});
    canvas.mark(ellipse({-0.27f, 0.54f}, {0.1f, 0.06f}, 10), {.colour = rgb(0x3a2a20), .round = 0});
  }

  // Deck, cockpit and the raked glass before it.
  canvas.paint("deck",
               outline({{-0.95f, 0.02f},
                        {-0.9f, 0.2f},
                        {-0.5f, 0.16f},
                        {0.1f, 0.26f},
                        {0.55f, 0.22f + sheer},
                        {bow, 0.18f + sheer},
                        {0.5f, 0}}),
               {.colour = mix(colour, rgb(0xffffff), 0.55f), .round = 0.08f});
  canvas.paint("windscreen",
               polygon({{-0.06f, 0.2f}, {0.34f, 0.24f}, {0.02f, 0.56f}, {-0.1f, 0.56f}}, 0.015f),
               {.colour = rgb(0x8cc4e0), .round = 0, .opacity = 0.92f});
  canvas.mark(limb({{{0.36f, 0.23f}, 0.03f}, {{0.02f, 0.57f}, 0.03f}, {{-0.11f, 0.57f}, 0.03f}}),
              {.colour = rgb(0x30343a), .round = 0});
  canvas.mark(limb({{{0.02f, 0.3f}, 0.02f}, {{0.08f, 0.46f}, 0.02f}}), {.colour = rgb(0xe8f6ff), .round = 0});

  const Shape hull = polygon({{-0.98f, 0.14f},
                              {-0.4f, 0.1f},
                              {0.4f, 0.13f + 0.6f * sheer},
                              {bow, 0.2f + sheer},
                              {0.86f, -0.08f},
                              {0.6f, -0.28f},
                              {0.3f, -0.36f},
                              {-0.92f, -0.36f}},
                             0.02f);
  canvas.paint("hull", hull, {.colour = colour, .round = 0.2f});
  canvas.paint("stripe",
               polygon({{-1.1f, -0.08f},
                        {0.3f, -0.08f},
                        {1.2f, 0.04f + sheer},
                        {1.2f, 0.13f + sheer},
                        {0.3f, 0.02f},
                        {-1.1f, 0.02f}}) &
                   hull,
               {.colour = stripe, .round = 0});

  if (random.chance("spray", 0.65f)) {
    const Colour foam = rgb(0xf0f6fa);
    Shape spray = limb({{{-1.25f, -0.42f}, 0.06f}, {{0.5f, -0.38f}, 0.05f}}) |
                  limb({{{0.35f, -0.38f}, 0.07f}, {{0.75f, -0.34f}, 0.05f}});
    std::vector<Joint> drops;
    for (uint64_t i = 0; i < 8; ++i) {
      const Random one = random.of("drop", i);
      drops.push_back({{one("x", -1.3f, -0.95f), one("y", -0.42f, -0.2f)}, one("size", 0.04f, 0.09f)});
    }
    canvas.paint("spray", spray | dots(drops), {.colour = foam, .round = 0.1f});
  }
}

}  // namespace

extern const Species speedboat;
const Species speedboat{kParts, draw};

}  // namespace loupe::zoo
