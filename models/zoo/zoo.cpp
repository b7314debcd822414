#include "models/zoo/zoo.h"

#include "kernels/common/error.h"
#include "models/zoo/scenery.h"
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr float kSide = static_cast<float>(kSize);
constexpr int kKinds = static_cast<int>(std::size(kBackgrounds));

// Where the light comes from, how bright it is and what colour it has.
struct Lighting {
  Light light;
  Colour tint;
};

Lighting lighting(const Random& random) {
  const Vec2 direction = polar(random("angle", 35, 145), 1);
  const float bright = random("bright", 0.78f, 1.12f), warm = random("warm", -0.07f, 0.07f);
  return {{direction, random("contrast", 0.2f, 0.5f)},
          {bright * (1 + warm), bright * (1 + random("green", -0.02f, 0.02f)), bright * (1 - warm)}};
}

// Part of the picture, in pixels, that an object may fill.
struct Room {
  Box box;
  float least, most;  // of it along the tighter side
};

struct Placed {
  int64_t cls;
  Random random;
  Frame frame;
  Box extent;
};

// An individual of a class, as large as fits and turned a little, somewhere in the room.
Placed place_object(int64_t cls, const Random& random, const Room& room) {
  const Species& species = *all_species()[static_cast<size_t>(cls)];
  const Random animal = random.of("individual");
  const float degrees = random("turn", -14, 14);
  const bool flip = random.chance("flip", 0.5f);

  Canvas ruler = Canvas::ruler(Frame({0, 0}, 1, degrees, flip));
  species.draw(ruler, animal);
  const Box e = ruler.extent();
  const float scale = random("size", room.least, room.most) *
                      std::min(room.box.width() / e.width(), room.box.height() / e.height());
  const float w = scale * e.width(), h = scale * e.height();
  const Vec2 low{random("x", room.box.low.x, room.box.high.x - w),
                 random("y", room.box.low.y, room.box.high.y - h)};
  return {cls, animal, Frame(low - scale * e.low, scale, degrees, flip), {low, low + Vec2{w, h}}};
}

std::vector<Placed> place_objects(const Random& random, int64_t index, int count) {
  const int64_t first = class_of(index);
  const auto classes = static_cast<int64_t>(all_species().size());
  if (count == 1) {
    return {place_object(first, random.of("object"), {{{1, 1}, {kSide - 1, kSide - 1}}, 0.52f, 0.98f})};
  }
  const int64_t other = (first + 1 + random.below("other class", static_cast<int>(classes - 1))) % classes;
  const bool swap = random.chance("sides", 0.5f);
  const float middle = random("middle", 30, 34);
  const Room left{{{0.5f, 4}, {middle, kSide - 4}}, 0.88f, 1},
      right{{{middle, 4}, {kSide - 0.5f, kSide - 4}}, 0.88f, 1};
  return {place_object(first, random.of("object"), swap ? right : left),
          place_object(other, random.of("object", 1), swap ? left : right)};
}

// A soft darkness under an object.
void paint_shadow(Canvas& canvas, const Placed& object) {
  const Box& e = object.extent;
  canvas.set_frame(Frame({0, 0}, 1));
  canvas.mark(ellipse({e.middle().x, e.low.y + 1.5f}, {0.42f * e.width(), 2.5f}),
              {.colour = {0, 0, 0}, .round = 0, .soft = 3, .opacity = 0.3f});
}

}  // namespace

std::string_view background_name(Background kind) {
  constexpr std::string_view kNames[kKinds] = {"grass", "water", "sand", "snow", "room", "noise"};
  return kNames[static_cast<size_t>(kind)];
}

std::span<const std::string_view> part_names(int64_t cls) {
  if (cls < 0 || cls >= static_cast<int64_t>(all_species().size()))
    throw UsageError("the zoo has no class " + std::to_string(cls));
  return all_species()[static_cast<size_t>(cls)]->parts;
}

int64_t class_of(int64_t index) { return index % static_cast<int64_t>(all_species().size()); }

Drawing draw(uint64_t seed, int64_t index, const Options& options) {
  if (index < 0)
    throw UsageError("the zoo's pictures are counted from 0; there is no " + std::to_string(index));
  if (options.objects != 1 && options.objects != 2)
    throw UsageError("a picture of the zoo shows 1 or 2 objects, not " + std::to_string(options.objects));
  const Random random = Random(seed).of("picture", static_cast<uint64_t>(index));
  const Lighting lit = lighting(random.of("lighting"));
  const std::vector<Placed> placed = place_objects(random, index, options.objects);

  int kind = random.below("background", kKinds);
  Random scenery = random.of("scenery");
  if (options.swap_background) {
    scenery = Random(*options.swap_background).of("scenery", static_cast<uint64_t>(index));
    kind = (kind + 1 + scenery.below("background", kKinds - 1)) % kKinds;
  }

  Canvas canvas(lit.light, options.masks);
  paint_background(canvas, kBackgrounds[kind], scenery);
  paint_distractors(canvas, scenery.of("distractors"));
  for (const Placed& p : placed)
    if (random.chance("shadow", 0.7f)) paint_shadow(canvas, p);
  for (const Placed& p : placed) {
    canvas.set_frame(p.frame);
    canvas.begin_object(p.cls, part_names(p.cls));
    all_species()[static_cast<size_t>(p.cls)]->draw(canvas, p.random);
    canvas.end_object();
  }
  paint_occluder(canvas, random.of("occluder"));
  return {canvas.image(lit.tint, random("noise", 0, 0.04f), random.bits("sensor")), kBackgrounds[kind],
          canvas.objects()};
}

}  // namespace loupe::zoo
