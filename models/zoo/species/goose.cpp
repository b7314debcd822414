// A plump body, a long upright neck, a small head with an orange bill, a folded wing, a short tail and orange
// legs; it stands or swims. White, grey, brown, or the Canada goose's black neck with a white chin.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "wing", "neck", "head", "bill"};

void draw(Canvas& canvas, const Random& random) {
  constexpr uint32_t kCoats[] = {0xf4f2ec, 0xa09c98, 0x8c7460, 0x94806c};  // the last is the Canada goose's
  const int kind = random.below("kind", 4);
  const bool canada = kind == 3;
  const float light = random("light", 0.9f, 1.05f);
  const Colour coat = light * rgb(kCoats[kind]), rump = mix(coat, rgb(0xf4f2ee), 0.7f);
  const Colour neck_colour = canada ? rgb(0x28262a) : mix(coat, rgb(0xffffff), kind == 0 ? 0 : 0.12f);
  const Colour orange = mix(rgb(0xf08c24), rgb(0xe06c38), random.unit("orange"));
  const bool swims = random.chance("swims", 0.35f);

  if (!swims) {
    const float stride = random("stride", -24, 24);
    const auto leg = [&](Vec2 hip, float swing, float shade) {
      const Vec2 foot = hip + rotate({0, -0.42f}, swing);
      canvas.paint(
          "legs",
          limb({{hip, 0.075f}, {foot, 0.06f}}) |
              polygon({foot + Vec2{-0.06f, 0.02f}, foot + Vec2{0.26f, -0.05f}, foot + Vec2{-0.06f, -0.06f}},
                      0.035f),
          {.colour = shade * orange, .round = 0.07f});
    };
    leg({0.06f, -0.24f}, -stride, 0.75f);
    leg({-0.1f, -0.24f}, stride, 1);
  }

  // The neck: upright, leaning forward, or bent down to graze.
  const float lean = random("lean", -0.12f, 0.22f), bow = random("bow", -0.05f, 0.08f);
  const bool grazes = !swims && random.chance("grazes", 0.2f);
  const Vec2 head =
      grazes ? Vec2{1.02f, -0.28f + lean} : Vec2{0.62f + lean, 1.0f - 0.8f * std::fabs(lean) + bow};
  const Shape neck =
      grazes ? tube({{{0.4f, 0.1f}, 0.2f}, {{0.72f, 0.26f}, 0.13f}, {{0.96f, 0.08f}, 0.11f}, {head, 0.11f}})
             : tube({{{0.38f, 0.08f}, 0.22f},
                     {{0.6f + 0.4f * lean + bow, 0.34f}, 0.14f},
                     {{0.52f + 0.8f * lean - bow, 0.7f}, 0.11f},
                     {head, 0.115f}});

  const float cock = random("tail", 0, 0.16f);
  canvas.paint(
      "tail", polygon({{-0.5f, 0.2f}, {-0.98f, 0.24f + cock}, {-0.9f, 0.08f + cock}, {-0.5f, -0.16f}}, 0.03f),
      {.colour = canada ? rgb(0x302c2c) : mix(coat, rump, 0.5f), .round = 0.1f});
  const float deep = random("deep", 0.34f, 0.4f);
  Shape body = blend(0.12f, {ellipse({-0.1f, 0}, {0.62f, deep}, 4), ellipse({0.26f, -0.02f}, {0.34f, 0.3f})});
  if (swims) body = body - polygon({{-2, -0.2f}, {2, -0.2f}, {2, -1}, {-2, -1}});
  canvas.paint("neck", neck, {.colour = neck_colour, .round = 0.11f});
  canvas.paint("body", body,
               {.colour = coat,
                .round = 0.28f,
                .grain = 0.06f,
                .grain_size = {0.14f, 0.06f},
                .pattern = [=](Vec2 at, Colour plain) {  // the belly behind the legs is white
                  return mix(rump, plain, step(-0.3f, 0.1f, at.y + 0.35f * at.x));
                }});
  const float fold = random("fold", -6, 8);
  canvas.paint("wing",
               place(outline({{0.42f, 0.06f},
                              {0.2f, 0.2f},
                              {-0.3f, 0.18f},
                              {-0.72f, 0.05f},
                              {-0.3f, -0.14f},
                              {0.2f, -0.14f}}),
                     {-0.1f, 0.1f}, fold),
               {.colour = (kind == 0 ? 0.88f : 0.78f) * coat,
                .round = 0.14f,
                .grain = 0.2f,
                .grain_size = {0.16f, 0.05f}});

  canvas.nested(head, random("nod", -14, 12) - (grazes ? 45.0f : 0.0f), 1, [&] {
    canvas.paint("bill", polygon({{0.08f, 0.09f}, {0.36f, -0.02f}, {0.36f, -0.08f}, {0.08f, -0.1f}}, 0.03f),
                 {.colour = canada ? rgb(0x343234) : orange, .round = 0.06f});
    canvas.mark(limb({{{0.12f, -0.03f}, 0.014f}, {{0.36f, -0.05f}, 0.014f}}),
                {.colour = 0.6f * orange, .round = 0});
    canvas.paint("head", ellipse({0.03f, 0.02f}, {0.19f, 0.155f}), {.colour = neck_colour, .round = 0.1f});
    if (canada)  // the white strap under its chin
      canvas.mark(limb({{{-0.08f, 0.03f}, 0.055f}, {{0, -0.09f}, 0.07f}}),
                  {.colour = rgb(0xf2f0ea), .round = 0});
    canvas.mark(circle({0.08f, 0.06f}, 0.042f), {.colour = rgb(canada ? 0xb09070 : 0x181414), .round = 0});
  });
}

}  // namespace

extern const Species goose;
const Species goose{kParts, draw};

}  // namespace loupe::zoo
