// A huge fluffy body high on two long bare legs, a long bare neck, a small head with a big eye and a short
// broad beak, and white plumes at wing and tail. Cocks are dark, hens grey-brown. It walks or runs.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "neck", "tail", "body", "plumes", "head", "beak"};

void draw(Canvas& canvas, const Random& random) {
  const bool cock = random.chance("cock", 0.55f);
  const float light = random("light", 0.9f, 1.1f);
  const Colour coat = light * (cock ? mix(rgb(0x2a2628), rgb(0x443c3a), random.unit("coat"))
                                    : mix(rgb(0x8a7a6a), rgb(0xa49a90), random.unit("coat")));
  const Colour plume = cock ? rgb(0xf2eee6) : mix(coat, rgb(0xf0e8dc), 0.65f);
  const Colour skin = mix(rgb(0xe0a090), rgb(0xc8a890), random.unit("skin"));

  // Thigh, the heel that bends backwards, and two toes.
  const bool runs = random.chance("runs", 0.4f);
  const float stride = runs ? random("running", 28, 42) : random("walking", 3, 18);
  const auto leg = [&](Vec2 hip, float swing, float shade) {
    const Vec2 knee = hip + rotate({0.1f, -0.24f}, swing);
    const float bend = runs && swing < 0 ? 40.0f : 0.0f;  // the foot behind is lifted
    const Vec2 heel = knee + rotate({-0.12f, -0.36f}, swing),
               foot = heel + rotate({0.06f, -0.42f}, 0.6f * swing - bend);
    canvas.paint("legs",
                 limb({{hip, 0.17f}, {knee, 0.11f}, {heel, 0.062f}, {foot, 0.055f}}) | circle(heel, 0.075f) |
                     limb({{foot, 0.055f}, {foot + rotate({0.2f, -0.04f}, -bend), 0.045f}}),
                 {.colour = shade * skin, .round = 0.08f});
  };
  leg({0.06f, -0.1f}, -stride, 0.72f);
  leg({-0.06f, -0.1f}, stride, 1);

  const float lean = random("lean", -0.08f, 0.24f) + (runs ? 0.1f : 0), bow = random("bow", -0.06f, 0.1f);
  const Vec2 head{0.6f + lean, 1.12f - 0.4f * lean + random("up", -0.08f, 0.08f)};
  canvas.paint("neck",
               tube({{{0.36f, 0.12f}, 0.16f},
                     {{0.6f + 0.3f * lean + bow, 0.36f}, 0.085f},
                     {{0.54f + 0.7f * lean - bow, 0.75f}, 0.07f},
                     {head, 0.08f}}),
               {.colour = skin, .round = 0.09f, .grain = 0.1f, .grain_size = {0.08f, 0.08f}});

  // Feathers hang loose: clumps all around make the edge of the body shaggy.
  const auto tuft = [&](Purpose name, Vec2 centre, Vec2 radii, float size, int count) {
    std::vector<Joint> clumps;
    for (int i = 0; i < count; ++i) {
      const Random one = random.of(name, static_cast<uint64_t>(i));
      const Vec2 out =
          polar(360 * (static_cast<float>(i) + one("angle", -0.3f, 0.3f)) / static_cast<float>(count), 1);
      clumps.push_back({centre + Vec2{out.x * radii.x, out.y * radii.y}, size * one("size", 0.75f, 1.3f)});
    }
    return dots(clumps);
  };
  const Vec2 rump{-0.68f, 0.26f + random("tail", -0.1f, 0.14f)};
  canvas.paint(
      "tail",
      blend(0.05f, {ellipse(rump, {0.2f, 0.17f}, -30), tuft("tail tuft", rump, {0.16f, 0.14f}, 0.1f, 8)}),
      {.colour = plume, .round = 0.12f, .grain = 0.14f, .grain_size = {0.06f, 0.1f}});
  canvas.paint("body",
               blend(0.05f, {ellipse({-0.1f, 0.16f}, {0.56f, 0.36f}, 6),
                             tuft("tuft", {-0.1f, 0.16f}, {0.5f, 0.31f}, 0.1f, 16)}),
               {.colour = coat, .round = 0.26f, .grain = 0.3f, .grain_size = {0.12f, 0.07f}});
  // The wing lies on the body and ends in white plumes; a runner holds it off.
  canvas.nested({0.16f, 0.24f}, runs ? random("wing", -24, 4) : random("wing", -6, 6), 1, [&] {
    canvas.mark(ellipse({-0.24f, -0.05f}, {0.34f, 0.2f}, 10), {.colour = mix(coat, rgb(0x807870), 0.18f),
                                                               .round = 0.1f,
                                                               .grain = 0.3f,
                                                               .grain_size = {0.14f, 0.05f}});
    canvas.paint("plumes", tuft("plume", {-0.36f, -0.16f}, {0.19f, 0.06f}, 0.085f, 8),
                 {.colour = plume, .round = 0.08f, .grain = 0.1f});
  });

  canvas.nested(head, random("nod", -16, 12), 1, [&] {
    canvas.paint("beak", polygon({{0.08f, 0.06f}, {0.3f, 0}, {0.3f, -0.05f}, {0.08f, -0.09f}}, 0.03f),
                 {.colour = mix(skin, rgb(0xd8a060), 0.6f), .round = 0.06f});
    canvas.mark(limb({{{0.1f, -0.04f}, 0.014f}, {{0.32f, -0.035f}, 0.014f}}),
                {.colour = 0.5f * skin, .round = 0});
    canvas.paint("head", ellipse({0.02f, 0.02f}, {0.16f, 0.13f}), {.colour = 0.95f * skin, .round = 0.1f});
    canvas.mark(ellipse({-0.05f, 0.12f}, {0.13f, 0.045f}, 12),
                {.colour = mix(coat, skin, 0.25f), .round = 0});
    canvas.mark(circle({0.06f, 0.045f}, 0.062f), {.colour = rgb(0xf4f0e8), .round = 0});
    canvas.mark(circle({0.065f, 0.045f}, 0.048f), {.colour = rgb(0x181214), .round = 0});
  });
}

}  // namespace

extern const Species ostrich;
const Species ostrich{kParts, draw};

}  // namespace loupe::zoo
