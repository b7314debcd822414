// A heavy body, a folded neck and an enormous bill with a pouch of skin hanging below it; short legs, or
// afloat.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "wing", "neck", "head", "bill", "pouch"};

void draw(Canvas& canvas, const Random& random) {
  constexpr uint32_t kCoats[] = {0xf6f3ee, 0xf0e2dc, 0xaca8a6, 0x8a7058};
  const int kind = random.below("kind", 4);
  const float light = random("light", 0.9f, 1.04f);
  const Colour coat = light * rgb(kCoats[kind]), flight = kind < 2 ? rgb(0x3a3638) : 0.7f * coat;
  const Colour crown = kind == 3 ? rgb(0xf2ead8) : mix(coat, rgb(0xffffff), 0.3f);
  const Colour bill = mix(rgb(0xe8b84c), rgb(0xd8a090), random.unit("bill"));
  const Colour skin = mix(rgb(0xf09030), rgb(0xe0a070), random.unit("pouch"));
  const bool floats = random.chance("floats", 0.4f);

  if (!floats) {
    const float stride = random("stride", -16, 16);
    const auto leg = [&](Vec2 hip, float swing, float shade) {
      const Vec2 foot = hip + rotate({0, -0.3f}, swing);
      canvas.paint(
          "legs",
          limb({{hip, 0.08f}, {foot, 0.06f}}) |
              polygon({foot + Vec2{-0.08f, 0.02f}, foot + Vec2{0.24f, -0.05f}, foot + Vec2{-0.08f, -0.06f}},
                      0.035f),
          {.colour = shade * skin, .round = 0.07f});
    };
    leg({-0.2f, -0.36f}, -stride, 0.7f);
    leg({-0.36f, -0.36f}, stride, 0.95f);
  }

  canvas.paint("tail", polygon({{-0.75f, 0}, {-1.12f, -0.04f}, {-1.08f, -0.2f}, {-0.7f, -0.25f}}, 0.04f),
               {.colour = 0.85f * coat, .round = 0.1f});
  const float plump = random("plump", 0.38f, 0.44f);
  Shape body =
      blend(0.12f, {ellipse({-0.3f, -0.06f}, {0.62f, plump}, 12), ellipse({0.08f, -0.04f}, {0.3f, 0.34f})});
  if (floats) body = body - polygon({{-2, -0.32f}, {2, -0.32f}, {2, -1}, {-2, -1}});
  canvas.paint("body", body, {.colour = coat, .round = 0.28f, .grain = 0.06f, .grain_size = {0.14f, 0.07f}});

  // The neck is folded back: an S whose upper bend lies behind the breast.
  const float up = random("up", -0.1f, 0.1f), fold = random("fold", -0.06f, 0.08f);
  const Vec2 head{0.22f + fold, 0.82f + up};
  canvas.paint("neck",
               tube({{{0.1f, -0.02f}, 0.24f},
                     {{0.3f, 0.2f}, 0.15f},
                     {{0.04f - fold, 0.44f}, 0.12f},
                     {{0.02f, 0.7f + up}, 0.12f},
                     {head, 0.13f}}),
               {.colour = kind == 3 ? mix(coat, rgb(0x5a3420), 0.4f) : coat, .round = 0.12f});

  // The wing, with dark flight feathers along its lower edge.
  const Shape wing = outline(
      {{0.1f, 0.12f}, {-0.2f, 0.28f}, {-0.62f, 0.16f}, {-1.02f, -0.12f}, {-0.6f, -0.2f}, {-0.1f, -0.12f}});
  canvas.paint("wing", wing,
               {.colour = 0.92f * coat,
                .round = 0.12f,
                .grain = 0.14f,
                .grain_size = {0.14f, 0.05f},
                .pattern = [=](Vec2 at, Colour plain) {
                  return mix(flight, plain, step(-0.06f, 0.06f, at.y - 0.2f * at.x - 0.08f));
                }});

  const float full = random("full", 0.95f, 1.4f), droop = random("droop", -34, -4);
  canvas.nested(head, droop, 1, [&] {
    // The pouch is widest under the middle of the bill and runs down to the throat.
    canvas.paint("pouch",
                 outline({{-0.04f, -0.1f},
                          {0.12f, -0.3f * full},
                          {0.4f, -0.42f * full},
                          {0.72f, -0.27f * full},
                          {1.06f, -0.04f},
                          {0.5f, 0}}),
                 {.colour = skin, .round = 0.14f, .grain = 0.12f, .grain_size = {0.2f, 0.06f}});
    canvas.paint("bill",
                 polygon({{0.08f, 0.09f},
                          {0.6f, 0.045f},
                          {1.12f, 0.02f},
                          {1.16f, -0.1f},
                          {1.08f, -0.06f},
                          {0.6f, -0.05f},
                          {0.08f, -0.07f}},
                         0.025f),
                 {.colour = bill, .round = 0.07f});
    canvas.mark(circle({1.15f, -0.05f}, 0.055f), {.colour = rgb(0xd06030), .round = 0});
    const float crest = random("crest", 0, 0.14f);
    canvas.paint("head",
                 blend(0.06f, {ellipse({0, 0.02f}, {0.2f, 0.17f}),
                               limb({{{-0.12f, 0.06f}, 0.07f}, {{-0.18f - crest, 0.04f}, 0.03f}})}),
                 {.colour = crown, .round = 0.12f});
    canvas.mark(ellipse({0.09f, 0.05f}, {0.075f, 0.06f}), {.colour = mix(skin, crown, 0.4f), .round = 0});
    canvas.mark(circle({0.09f, 0.055f}, 0.04f), {.colour = rgb(0x181414), .round = 0});
  });
}

}  // namespace

extern const Species pelican;
const Species pelican{kParts, draw};

}  // namespace loupe::zoo
