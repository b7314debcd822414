// A round face with slit eyes and whiskers, triangular ears, a slim body and a thin tail held up. It walks or
// sits.
#include "models/zoo/species/quadruped.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "head", "ears", "eyes", "whiskers"};

struct Coat {
  uint32_t fur, stripes, bib;
};
// Grey and orange tabbies and a brown one, black with a white bib, all black, white with grey, cream.
constexpr Coat kCoats[] = {{0x9a9690, 0x55524e, 0xe4e0da}, {0xd98a3c, 0xa85a1c, 0xf6e6cc},
                           {0x8a6a48, 0x4a3422, 0xd8c4a4}, {0x2a2a2e, 0x2a2a2e, 0xf4f2ee},
                           {0x34302e, 0x34302e, 0x34302e}, {0xf0eeea, 0xd6d2ca, 0xfbfaf8},
                           {0xe6cfa6, 0xc8a878, 0xf6ecd8}};

// Seen from the front; the skull is about one unit in radius.
void face(Canvas& canvas, const Random& random, const Coat& coat, const Material& fur) {
  const Colour inner = mix(rgb(coat.fur), rgb(0xe89a98), 0.7f), bib = rgb(coat.bib);
  for (const float side : {-1.0f, 1.0f}) {
    canvas.paint("ears",
                 polygon({{side * 0.95f, 0.25f}, {side * 0.22f, 0.72f}, {side * 0.86f, 1.42f}}, 0.08f), fur);
    canvas.mark(polygon({{side * 0.82f, 0.5f}, {side * 0.42f, 0.78f}, {side * 0.8f, 1.2f}}),
                {.colour = inner, .round = 0});
  }
  const Shape skull = blend(0.3f, {ellipse({0, 0}, {1.06f, 0.88f}), ellipse({-0.5f, -0.28f}, {0.55f, 0.5f}),
                                   ellipse({0.5f, -0.28f}, {0.55f, 0.5f})});
  canvas.paint("head", skull, {.colour = fur.colour, .round = 0.5f});
  const Material dark{.colour = rgb(coat.stripes), .round = 0};
  for (const float x : {-0.28f, 0.0f, 0.28f})
    canvas.mark(limb({{{x, 0.82f}, 0.08f}, {{0.8f * x, 0.46f}, 0.06f}}), dark);
  canvas.mark(ellipse({-0.24f, -0.44f}, {0.36f, 0.28f}) | ellipse({0.24f, -0.44f}, {0.36f, 0.28f}) |
                  ellipse({0, -0.68f}, {0.24f, 0.18f}),
              {.colour = bib, .round = 0.2f});
  const Colour iris = mix(rgb(0xd8d040), rgb(0x66b84a), random.unit("iris"));
  for (const float side : {-1.0f, 1.0f}) {
    canvas.paint("eyes", ellipse({side * 0.45f, 0.12f}, {0.28f, 0.25f}, side * 12),
                 {.colour = iris, .round = 0});
    canvas.mark(ellipse({side * 0.45f, 0.12f}, {0.09f, 0.24f}), {.colour = rgb(0x101010), .round = 0});
  }
  const Colour hair = coat.fur == 0xf0eeea || coat.fur == 0xe6cfa6 ? rgb(0x4c4844) : rgb(0xfafafa);
  for (const float side : {-1.0f, 1.0f})
    for (const float lift : {-0.12f, 0.22f})
      canvas.paint("whiskers", limb({{{side * 0.5f, -0.42f}, 0.05f}, {{side * 1.5f, -0.48f + lift}, 0.04f}}),
                   {.colour = hair, .round = 0});
  canvas.mark(polygon({{-0.14f, -0.22f}, {0.14f, -0.22f}, {0, -0.36f}}, 0.05f),
              {.colour = rgb(0xd87c84), .round = 0});
  canvas.mark(limb({{{0, -0.4f}, 0.04f}, {{-0.18f, -0.58f}, 0.04f}}) |
                  limb({{{0, -0.4f}, 0.04f}, {{0.18f, -0.58f}, 0.04f}}),
              {.colour = rgb(0x503838), .round = 0});
}

void draw(Canvas& canvas, const Random& random) {
  const Coat coat = kCoats[random.below("coat", static_cast<int>(std::size(kCoats)))];
  const float width = random("stripe", 0.15f, 0.2f);
  const Colour stripe = rgb(coat.stripes);
  // Stripes run around the body and the limbs.
  const auto striped = [=](Vec2 p, Colour plain) {
    const float wave = p.x / width + 0.4f * noise({4 * p.x, 5 * p.y}), part = wave - std::floor(wave);
    return mix(plain, stripe, 0.85f * step(0.55f, 0.7f, part));
  };
  const auto ringed = [=](Vec2 p, Colour plain) {
    const float wave = p.y / width, part = wave - std::floor(wave);
    return mix(plain, stripe, 0.85f * step(0.5f, 0.65f, part));
  };
  const Colour plain = random("light", 0.92f, 1.06f) * rgb(coat.fur);
  const Material fur{
      .colour = plain, .round = 0.16f, .grain = 0.06f, .grain_size = {0.05f, 0.05f}, .pattern = striped};
  const Material rings{.colour = plain, .round = 0.1f, .pattern = ringed};
  const Material bib{.colour = rgb(coat.bib), .round = 0.12f};
  const float curl = random("curl", -0.2f, 0.25f), tilt = random("tilt", -14, 14);

  if (random.chance("sits", 0.4f)) {  // facing us, the tail beside it
    canvas.paint("tail",
                 tube({{{-0.25f, -0.78f}, 0.075f},
                       {{-0.68f, -0.7f}, 0.07f},
                       {{-0.82f, -0.25f}, 0.065f},
                       {{-0.7f - curl, 0.15f}, 0.06f},
                       {{-0.78f - 1.4f * curl, 0.36f}, 0.05f}}),
                 rings);
    const Shape body =
        blend(0.2f, {ellipse({0, -0.42f}, {0.42f, 0.45f}), ellipse({0, 0.02f}, {0.3f, 0.35f})});
    canvas.paint(
        "body", body,
        {.colour = plain, .round = 0.2f, .grain = 0.06f, .grain_size = {0.05f, 0.05f}, .pattern = ringed});
    canvas.paint("legs",
                 ellipse({-0.33f, -0.66f}, {0.2f, 0.26f}, -10) | ellipse({0.33f, -0.66f}, {0.2f, 0.26f}, 10),
                 fur);
    canvas.mark(ellipse({0, -0.1f}, {0.17f, 0.26f}), bib);
    canvas.paint("legs",
                 limb({{{-0.13f, -0.2f}, 0.1f}, {{-0.13f, -0.85f}, 0.085f}}) |
                     limb({{{0.13f, -0.2f}, 0.1f}, {{0.13f, -0.85f}, 0.085f}}),
                 rings);
    canvas.mark(ellipse({-0.13f, -0.88f}, {0.11f, 0.07f}) | ellipse({0.13f, -0.88f}, {0.11f, 0.07f}), bib);
    canvas.nested({0.02f, 0.42f}, 0.7f * tilt, 0.4f, [&] { face(canvas, random, coat, fur); });
    return;
  }
  const Gait g = gait(random);
  const auto legs = [&](int side) {
    const float shift = side == 1 ? 0.08f : 0.0f;
    const Vec2 shoulder{0.3f + shift, -0.15f}, hip{-0.48f + shift, -0.08f};
    Material m = rings;
    if (side == 1) m.colour = 0.72f * m.colour;
    canvas.paint("legs",
                 front_leg(shoulder, 0.6f, 0.075f, g.front[side]) | hind_leg(hip, 0.66f, 0.08f, g.hind[side]),
                 m);
  };
  legs(1);
  canvas.paint("tail",
               tube({{{-0.62f, 0.08f}, 0.075f},
                     {{-0.88f, 0.2f}, 0.07f},
                     {{-0.95f, 0.55f}, 0.065f},
                     {{-0.85f - curl, 0.85f}, 0.06f},
                     {{-0.95f - 1.6f * curl, 1.05f}, 0.05f}}),
               rings);
  canvas.paint("body",
               blend(0.15f, {ellipse({-0.1f, 0}, {0.5f, 0.22f}), ellipse({-0.46f, 0.02f}, {0.24f, 0.24f}),
                             limb({{{0.24f, 0}, 0.22f}, {{0.5f, 0.22f}, 0.17f}})}),
               fur);
  legs(0);
  const Vec2 head{0.6f, 0.38f + random("head", -0.1f, 0.08f)};
  canvas.nested(head, tilt, 0.34f, [&] { face(canvas, random, coat, fur); });
}

}  // namespace

extern const Species cat;
const Species cat{kParts, draw};

}  // namespace loupe::zoo
