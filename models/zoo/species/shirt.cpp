// A T-shirt or a shirt with buttons, from the front: body, two sleeves and a collar (round, V or pointed);
// plain, striped, checked or with a print, and a little creased.
#include "models/zoo/species.h"

namespace loupe::zoo {
namespace {

constexpr std::string_view kParts[] = {"sleeves", "body", "collar", "buttons", "print"};

constexpr uint32_t kCloths[] = {0xf2f0ea, 0x2c2c32, 0xc83c34, 0x2f5c9c, 0x5c9a4c, 0xe8b83c,
                                0xe88ca0, 0x8c6c54, 0x9098a0, 0xe07c34, 0x4c8c90, 0x7c54a0};

using Pattern = std::function<Colour(Vec2, Colour)>;

// The weave: plain, hoops, pinstripes or checks. `turn`: how far a sleeve hangs away from upright, in
// degrees.
Pattern weave(const Random& random, Colour second, float turn) {
  const int kind = random.below("weave", 5);
  const float period = random("period", 0.24f, 0.36f), share = random("share", -0.5f, 0.3f);
  const auto band = [=](float x) { return step(share - 0.2f, share + 0.2f, sine(360 * x / period)); };
  return [=](Vec2 at, Colour plain) {
    const Vec2 p = rotate(at, -turn);
    // Broad soft creases run down the cloth.
    const Colour cloth = (1 + 0.07f * noise({4 * p.x + p.y, 1.3f * p.y})) * plain;
    switch (kind) {
      case 2:
        return mix(cloth, second, band(p.y));
      case 3:
        return mix(cloth, second, band(p.x));
      case 4:
        return mix(cloth, second, 0.45f * (band(p.x) + band(p.y)));
      default:
        return cloth;
    }
  };
}

void draw(Canvas& canvas, const Random& random) {
  const int cloth = random.below("cloth", 12), other = (cloth + 1 + random.below("second", 11)) % 12;
  const Colour colour = random("light", 0.9f, 1.05f) * rgb(kCloths[cloth]), second = rgb(kCloths[other]);
  const bool buttoned = random.chance("buttoned", 0.45f);
  const float shoulder = random("shoulder", 0.5f, 0.58f), waist = random("waist", 0.46f, 0.56f);
  const float hem = random("hem", -0.86f, -0.7f), neck = random("neck", 0.17f, 0.21f),
              sag = random("sag", 0, 0.06f);

  // Sleeves: short or long, each hanging as it likes.
  const bool long_sleeves = random.chance("long sleeves", buttoned ? 0.5f : 0.2f);
  const float length = long_sleeves ? random("long", 0.85f, 1.0f) : random("short", 0.36f, 0.46f);
  for (const float side : {-1.0f, 1.0f}) {
    const float hang = random.of("sleeve", side > 0)("hang", -66, -34);
    const Vec2 top{side * (shoulder - 0.06f), 0.62f}, pit{side * 0.48f, 0.24f};
    const Vec2 along{side * length * cosine(hang), length * sine(hang)};
    const float cuff = long_sleeves ? 0.6f : 0.9f;  // it narrows to the cuff
    const Vec2 outer = top + along, inner = outer + cuff * (pit - top);
    const Shape sleeve = polygon({{side * 0.3f, 0.66f}, top, outer, inner, pit, {side * 0.3f, 0.2f}}, 0.03f);
    canvas.paint("sleeves", sleeve,
                 {.colour = 0.93f * colour,
                  .round = 0.12f,
                  .pattern = weave(random, 0.93f * second, side * (hang + 90))});
    const Colour trim = random.chance("trimmed", 0.4f) ? second : 0.75f * colour;
    canvas.mark(limb({{outer, 0.035f}, {inner, 0.035f}}), {.colour = trim, .round = 0});
  }

  const Shape body = polygon({{-neck, 0.74f},
                              {-shoulder, 0.63f},
                              {-0.47f, 0.2f},
                              {-waist, hem},
                              {0, hem - sag},
                              {waist, hem},
                              {0.47f, 0.2f},
                              {shoulder, 0.63f},
                              {neck, 0.74f}},
                             0.03f);
  canvas.paint("body", body, {.colour = colour, .round = 0.16f, .pattern = weave(random, second, 0)});
  canvas.mark(limb({{{-waist, hem + 0.05f}, 0.014f},
                    {{0, hem - sag + 0.05f}, 0.014f},
                    {{waist, hem + 0.05f}, 0.014f}}) &
                  body,
              {.colour = 0.7f * colour, .round = 0});

  // What the neck shows: the inside of the back.
  const bool vee = !buttoned && random.chance("V", 0.4f);
  const float deep = buttoned ? 0.16f : vee ? 0.34f : 0.2f;
  const Shape opening =
      vee || buttoned
          ? polygon({{-neck, 0.76f}, {0, 0.76f - deep}, {neck, 0.76f}, {0, 0.71f}}, 0.02f)
          : ellipse({0, 0.76f}, {neck, deep}) - polygon({{-1, 0.76f}, {1, 0.76f}, {1, 2}, {-1, 2}});
  canvas.mark(opening, {.colour = 0.42f * colour, .round = 0});

  if (buttoned) {
    const Colour trim = random.chance("white collar", 0.3f) ? rgb(0xf4f2ee) : 0.85f * colour;
    canvas.mark(limb({{{0.06f, 0.56f}, 0.014f}, {{0.06f, hem}, 0.014f}}) & body,
                {.colour = 0.62f * colour, .round = 0});
    for (const float side : {-1.0f, 1.0f})
      canvas.paint("collar",
                   polygon({{side * (neck - 0.02f), 0.8f},
                            {side * 0.02f, 0.58f},
                            {side * 0.2f, 0.44f},
                            {side * (neck + 0.11f), 0.7f}},
                           0.02f),
                   {.colour = trim, .round = 0.08f});
    const float brightness = colour.r + colour.g + colour.b;
    std::vector<Joint> row;
    for (int i = 0; i < 5; ++i)
      row.push_back({{0, 0.4f + 0.25f * static_cast<float>(i) * (hem - 0.1f)}, 0.05f});
    canvas.paint("buttons", dots(row),
                 {.colour = brightness > 1.5f ? rgb(0x343036) : rgb(0xf0ece4), .round = 0.04f});
    if (random.chance("pocket", 0.5f))
      canvas.mark(polygon({{0.16f, 0.26f}, {0.38f, 0.26f}, {0.38f, 0.06f}, {0.27f, 0}, {0.16f, 0.06f}}),
                  {.colour = 0.8f * colour, .round = 0.04f});
    return;
  }
  const Colour ribbing = random.chance("trimmed", 0.4f) ? second : 0.78f * colour;
  canvas.paint("collar",
               vee ? limb({{{-neck, 0.75f}, 0.045f}, {{0, 0.76f - deep}, 0.045f}, {{neck, 0.75f}, 0.045f}})
                   : tube({{{-neck, 0.75f}, 0.045f},
                           {{-0.6f * neck, 0.76f - 0.8f * deep}, 0.045f},
                           {{0, 0.76f - deep}, 0.045f},
                           {{0.6f * neck, 0.76f - 0.8f * deep}, 0.045f},
                           {{neck, 0.75f}, 0.045f}}),
               {.colour = ribbing, .round = 0.05f});

  if (random.below("weave", 5) < 2 && random.chance("print", 0.7f)) {
    const Vec2 at{0, random("print at", 0.02f, 0.16f)};
    const float size = random("print size", 0.2f, 0.28f);
    const int kind = random.below("print kind", 4);
    const Shape heart = dots(std::array<Joint, 2>{Joint{{-0.48f, 0.35f}, 0.55f}, {{0.48f, 0.35f}, 0.55f}}) |
                        polygon({{-0.95f, 0.1f}, {0.95f, 0.1f}, {0, -1}});
    const Shape bolt =
        polygon({{0.1f, 1}, {-0.65f, -0.15f}, {-0.05f, -0.15f}, {-0.3f, -1}, {0.65f, 0.25f}, {0.1f, 0.25f}});
    const Shape ring = circle({0, 0}, 0.9f) - circle({0, 0}, 0.45f);
    const Shape bars = polygon({{-1.2f, 0.5f}, {1.2f, 0.5f}, {1.2f, 0.1f}, {-1.2f, 0.1f}}) |
                       polygon({{-1.2f, -0.2f}, {1.2f, -0.2f}, {1.2f, -0.6f}, {-1.2f, -0.6f}});
    canvas.paint("print",
                 place(kind == 0   ? heart
                       : kind == 1 ? bolt
                       : kind == 2 ? ring
                                   : bars,
                       at, 0, size),
                 {.colour = second, .round = 0});
  }
}

}  // namespace

extern const Species shirt;
const Species shirt{kParts, draw};

}  // namespace loupe::zoo
