// A stout dog with a dark back over white, a white face under a dark cap, pricked ears, pale blue eyes and a
// bushy tail that curls over the back.
#include "models/zoo/species/quadruped.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"legs", "tail", "body", "head", "ears", "mask", "eyes"};

constexpr uint32_t kCoats[] = {0x4a4e56, 0x26282c, 0x6e7278, 0x7c4a30};

struct Fur {
  Colour dark, white;
};

void eye(Canvas& canvas, Vec2 at, float tilt) {
  canvas.paint("eyes", ellipse(at, {0.24f, 0.19f}, tilt), {.colour = rgb(0x9fd4f4), .round = 0});
  canvas.mark(circle(at, 0.1f), {.colour = rgb(0x0c1018), .round = 0});
}

// The skull is about one unit in radius. A dark cap comes down between the eyes; muzzle, cheeks and brows are
// white.
void front_face(Canvas& canvas, const Fur& fur) {
  for (const float side : {-1.0f, 1.0f}) {
    canvas.paint("ears", polygon({{side * 0.95f, 0.4f}, {side * 0.22f, 0.78f}, {side * 0.78f, 1.6f}}, 0.08f),
                 {.colour = fur.dark, .round = 0.2f});
    canvas.mark(polygon({{side * 0.8f, 0.62f}, {side * 0.45f, 0.82f}, {side * 0.74f, 1.3f}}),
                {.colour = rgb(0xd8b8ac), .round = 0});
  }
  const Shape skull = blend(0.3f, {ellipse({0, 0.12f}, {0.95f, 0.85f}),
                                   polygon({{-1.12f, -0.2f}, {1.12f, -0.2f}, {0, -1.0f}}, 0.14f)});
  canvas.paint("head", skull, {.colour = fur.white, .round = 0.4f});
  const Shape cap = outline({{-1.2f, -0.1f},
                             {-1.1f, 0.9f},
                             {0, 1.15f},
                             {1.1f, 0.9f},
                             {1.2f, -0.1f},
                             {0.75f, 0.12f},
                             {0.42f, 0.5f},
                             {0.1f, 0.15f},
                             {0, -0.2f},
                             {-0.1f, 0.15f},
                             {-0.42f, 0.5f},
                             {-0.75f, 0.12f}});
  canvas.paint("mask", cap & skull, {.colour = fur.dark, .round = 0.2f});
  canvas.paint("head", blend(0.2f, {ellipse({0, -0.5f}, {0.42f, 0.4f}), ellipse({0, -0.25f}, {0.24f, 0.3f})}),
               {.colour = fur.white, .round = 0.3f});
  eye(canvas, {-0.45f, 0.18f}, -15);
  eye(canvas, {0.45f, 0.18f}, 15);
  canvas.mark(ellipse({0, -0.42f}, {0.22f, 0.16f}), {.colour = rgb(0x141212), .round = 0});
  canvas.mark(limb({{{0, -0.5f}, 0.05f}, {{0, -0.7f}, 0.05f}}) |
                  limb({{{-0.24f, -0.76f}, 0.05f}, {{0.24f, -0.76f}, 0.05f}}),
              {.colour = rgb(0x2a2424), .round = 0});
}

void side_face(Canvas& canvas, const Fur& fur) {
  canvas.paint("ears", polygon({{-0.05f, 0.6f}, {0.6f, 0.62f}, {0.38f, 1.5f}}, 0.08f),
               {.colour = 0.75f * fur.dark, .round = 0.2f});
  const Shape skull = blend(
      0.4f, {ellipse({0, 0.08f}, {0.98f, 0.9f}), limb({{{0.5f, -0.25f}, 0.55f}, {{1.35f, -0.42f}, 0.36f}})});
  canvas.paint("head", skull, {.colour = fur.white, .round = 0.4f});
  const Shape cap = outline({{-1.3f, -0.5f},
                             {-1.2f, 1.1f},
                             {0.4f, 1.2f},
                             {1.0f, 0.3f},
                             {1.5f, 0.05f},
                             {0.95f, 0.02f},
                             {0.62f, 0.5f},
                             {0.3f, 0.35f},
                             {0, -0.1f},
                             {-0.5f, -0.4f}});
  canvas.paint("mask", cap & skull, {.colour = fur.dark, .round = 0.2f});
  canvas.paint("ears", polygon({{-0.62f, 0.5f}, {0.12f, 0.66f}, {-0.08f, 1.65f}}, 0.08f),
               {.colour = fur.dark, .round = 0.2f});
  canvas.mark(polygon({{-0.4f, 0.68f}, {0, 0.74f}, {-0.1f, 1.35f}}), {.colour = rgb(0xd8b8ac), .round = 0});
  eye(canvas, {0.55f, 0.2f}, 15);
  canvas.mark(ellipse({1.62f, -0.2f}, {0.24f, 0.2f}), {.colour = rgb(0x141212), .round = 0});
  canvas.mark(limb({{{1.5f, -0.58f}, 0.05f}, {{0.85f, -0.62f}, 0.05f}}),
              {.colour = rgb(0x2a2424), .round = 0});
}

void draw(Canvas& canvas, const Random& random) {
  const Fur fur{random("dark", 0.9f, 1.15f) * rgb(kCoats[random.below("coat", 4)]),
                mix(rgb(0xf4f4f2), rgb(0xf2eadc), random.unit("cream"))};
  const Gait g = gait(random);
  const float line = random("line", -0.1f, 0);
  const auto two_colours = [=](Vec2 p, Colour) {
    return mix(fur.white, fur.dark,
               step(-0.06f, 0.06f, p.y - line + 0.09f * noise({5 * p.x, 9 * p.y}) + 0.12f * p.x));
  };
  const Material coat{.colour = fur.dark,
                      .round = 0.18f,
                      .grain = 0.14f,
                      .grain_size = {0.05f, 0.09f},
                      .pattern = two_colours};
  const auto legs = [&](int side) {
    const float shift = side == 1 ? 0.08f : 0.0f, shade = side == 1 ? 0.72f : 1.0f;
    const Shape hind = hind_leg({-0.48f + shift, -0.04f}, 0.78f, 0.105f, g.hind[side]);
    canvas.paint("legs", front_leg({0.32f + shift, -0.15f}, 0.7f, 0.1f, g.front[side]) | hind,
                 {.colour = fur.white, .round = 0.12f, .pattern = [=](Vec2 p, Colour) {
                    return shade * two_colours(p - Vec2{0, 0.12f}, {});
                  }});
  };
  legs(1);

  const float curl = random("curl", -0.08f, 0.08f);
  const Shape body =
      blend(0.16f, {ellipse({0.2f, -0.02f}, {0.36f, 0.34f}), ellipse({-0.15f, 0.02f}, {0.5f, 0.27f}),
                    ellipse({-0.48f, 0.04f}, {0.28f, 0.28f}),
                    limb({{{0.3f, 0.1f}, 0.28f}, {{0.52f, 0.42f}, 0.22f}})});
  canvas.paint("body", body, coat);
  const Shape tail = tube({{{-0.66f, 0.14f}, 0.1f},
                           {{-0.88f, 0.42f}, 0.14f},
                           {{-0.76f, 0.74f + curl}, 0.16f},
                           {{-0.46f, 0.74f + curl}, 0.14f},
                           {{-0.34f, 0.52f}, 0.06f}});
  canvas.paint(
      "tail", tail,
      {.colour = fur.dark,
       .round = 0.14f,
       .grain = 0.16f,
       .grain_size = {0.06f, 0.05f},
       .pattern = [=](Vec2 p, Colour plain) { return mix(plain, fur.white, step(-0.62f, -0.42f, p.x)); }});
  legs(0);

  const float nod = random("nod", -14, 12);
  const Vec2 head = Vec2{0.6f, 0.5f} + rotate({0.06f, 0.06f}, nod);
  canvas.nested(head, nod, 0.33f, [&] {
    random.chance("looks at us", 0.6f) ? front_face(canvas, fur) : side_face(canvas, fur);
  });
}

}  // namespace

extern const Species husky;
const Species husky{kParts, draw};

}  // namespace loupe::zoo
