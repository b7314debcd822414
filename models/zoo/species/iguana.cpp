// A long low lizard: a crest of spines from the neck to the tail, a dewlap under the chin, sprawling legs
// with toes and a very long banded tail.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"tail", "legs", "body", "crest", "dewlap", "head"};

constexpr uint32_t kColours[] = {0x5c9a3c, 0x7c8c5c, 0x808884, 0x8c6c48, 0x4c8474, 0x9c8050};

// A leg that sprawls: out to the elbow, down to the wrist, and two long toes.
Shape leg(Vec2 root, float swing) {
  const Vec2 elbow = root + rotate({-0.22f, -0.1f}, swing),
             wrist = elbow + rotate({0.13f, -0.19f}, 0.6f * swing);
  const auto toe = [&](float degrees) {
    return limb({{wrist, 0.045f}, {wrist + polar(degrees, 0.2f), 0.03f}});
  };
  return limb({{root, 0.14f}, {elbow, 0.1f}, {wrist, 0.06f}}) | toe(15) | toe(-30);
}

// Teeth along a line of points, which stand back and are highest at its first third.
Shape spines(std::span<const Vec2> line, float high) {
  constexpr int kTeeth = 11;
  std::vector<Vec2> saw;
  const auto pieces = static_cast<float>(line.size() - 1);
  for (int i = 0; i <= kTeeth; ++i) {
    const float along = static_cast<float>(i) / kTeeth, t = std::min(along * pieces, pieces - 0.001f);
    const auto piece = static_cast<size_t>(t);
    const Vec2 root = mix(line[piece], line[piece + 1], t - std::floor(t));
    const Vec2 out = rotate(line[piece + 1] - line[piece], -90);
    const float length = std::sqrt(out.x * out.x + out.y * out.y);
    saw.push_back(root);
    if (i < kTeeth)
      saw.push_back(root + (high * (1.1f - std::fabs(along - 0.3f)) / length) * out + Vec2{-0.11f, 0});
  }
  for (auto p = line.rbegin(); p != line.rend(); ++p) saw.push_back(*p - Vec2{0, 0.1f});
  return polygon(saw, 0.012f);
}

void draw(Canvas& canvas, const Random& random) {
  const Colour colour = random("light", 0.85f, 1.1f) * mix(rgb(kColours[random.below("colour", 6)]),
                                                           rgb(kColours[random.below("blend", 6)]), 0.25f);
  const Colour band = random("band", 0.4f, 0.6f) * colour, pale = mix(colour, rgb(0xe8e0c0), 0.45f);
  const float arch = random("arch", -0.03f, 0.08f), lift = random("lift", -0.06f, 0.18f);
  const Vec2 head{0.84f, 0.32f + lift};

  const float step = random("step", -26, 26);
  canvas.paint("legs", leg({0.52f, -0.04f}, -step) | leg({-0.34f, -0.04f}, step),
               {.colour = 0.66f * colour, .round = 0.1f});

  // The tail trails behind and ends in a bow, up or down.
  const float curl = random("curl", -0.1f, 0.6f), ring = random("ring", 0.24f, 0.32f);
  canvas.paint("tail",
               tube({{{-0.3f, 0.02f}, 0.2f},
                     {{-0.75f, -0.1f}, 0.135f},
                     {{-1.12f, -0.22f + 0.2f * curl}, 0.1f},
                     {{-1.36f, -0.15f + 0.7f * curl}, 0.075f},
                     {{-1.26f + 0.3f * curl, 0.02f + 1.1f * curl}, 0.03f}}),
               {.colour = colour,
                .round = 0.12f,
                .grain = 0.1f,
                .grain_size = {0.06f, 0.05f},
                .pattern = [=](Vec2 at, Colour plain) {
                  return mix(plain, band, zoo::step(-0.3f, 0.3f, sine(360 * (at.x - 0.6f * at.y) / ring)));
                }});

  const Vec2 back[] = {head + Vec2{-0.06f, 0.14f},
                       {0.5f, 0.26f + 0.5f * lift + 0.5f * arch},
                       {0.1f, 0.22f + arch},
                       {-0.35f, 0.18f + 0.5f * arch},
                       {-0.78f, 0.01f}};
  const bool bright = random.chance("bright crest", 0.5f);
  canvas.paint("crest", spines(back, random("spines", 0.19f, 0.27f)),
               {.colour = bright ? mix(pale, rgb(0xe0a050), 0.4f) : 0.6f * colour, .round = 0.04f});

  // A fan of skin hangs below the chin.
  canvas.paint("dewlap",
               outline({head + Vec2{0.2f, -0.1f}, head + Vec2{0.18f, -0.3f}, head + Vec2{0.02f, -0.42f},
                        head + Vec2{-0.16f, -0.36f}, head + Vec2{-0.15f, -0.1f}}),
               {.colour = mix(pale, rgb(0xd88850), random("dewlap", 0, 0.5f)), .round = 0.08f});

  const Shape body =
      blend(0.12f, {tube({{{-0.4f, 0.02f}, 0.2f}, {{0.05f, arch - 0.03f}, 0.27f}, {{0.48f, 0.05f}, 0.2f}}),
                    limb({{{0.5f, 0.08f}, 0.18f}, {head, 0.13f}})});
  canvas.paint("body", body,
               {.colour = colour,
                .round = 0.2f,
                .grain = 0.14f,
                .grain_size = {0.07f, 0.05f},
                .pattern = [=, bars = random.chance("bars", 0.35f)](Vec2 at, Colour plain) {
                  const Colour side = mix(pale, plain, zoo::step(-0.26f, 0, at.y - arch));  // a pale belly
                  const float bar = sine(360 * (at.x + 0.3f * at.y + 0.05f * noise(5 * at)) / 0.36f);
                  return bars ? mix(side, band, 0.45f * zoo::step(0.3f, 0.7f, bar)) : side;
                }});
  canvas.paint("legs", leg({0.4f, -0.06f}, step) | leg({-0.44f, -0.06f}, -step),
               {.colour = 0.95f * colour, .round = 0.1f, .grain = 0.15f, .grain_size = {0.06f, 0.06f}});

  canvas.nested(head, random("nod", -14, 14), 1, [&] {
    const Shape skull = blend(0.08f, {ellipse({0.02f, 0}, {0.19f, 0.16f}),
                                      limb({{{0.1f, -0.03f}, 0.125f}, {{0.3f, -0.06f}, 0.08f}})});
    canvas.paint("head", skull, {.colour = mix(colour, pale, 0.2f), .round = 0.12f, .grain = 0.12f});
    canvas.mark(limb({{{0.38f, -0.08f}, 0.018f}, {{0.1f, -0.1f}, 0.018f}}),
                {.colour = 0.4f * colour, .round = 0});
    // The big pale shield below the ear, and the eye.
    canvas.mark(circle({-0.02f, -0.08f}, 0.065f), {.colour = mix(pale, rgb(0xffffff), 0.3f), .round = 0.06f});
    canvas.mark(circle({0.12f, 0.05f}, 0.055f), {.colour = rgb(0xe8c040), .round = 0});
    canvas.mark(circle({0.13f, 0.05f}, 0.034f), {.colour = rgb(0x141010), .round = 0});
  });
}

}  // namespace

extern const Species iguana;
const Species iguana{kParts, draw};

}  // namespace loupe::zoo
