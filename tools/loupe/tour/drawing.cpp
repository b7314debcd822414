// What is true about a drawing, drawn.
#include <algorithm>
#include <cmath>

#include "engine/image/colour.h"
#include "engine/image/image.h"
#include "tools/loupe/tour/parts.h"

namespace loupe::tour {

namespace {

// One colour a part; all equally light.
Lab part_colour(size_t i) {
  const double turn = 2 * 3.14159265358979 * std::fmod(0.11 + 0.382 * static_cast<double>(i), 1.0);
  return {0.75f, static_cast<float>(0.16 * std::cos(turn)), static_cast<float>(0.16 * std::sin(turn))};
}
constexpr Lab kFirst{0.76f, 0.06f, 0.13f}, kSecond{0.68f, -0.03f, -0.13f};

std::string css(Lab colour) {
  const Rgb c = to_rgb(colour);
  return format("#%02x%02x%02x", c[0], c[1], c[2]);
}

}  // namespace

std::vector<uint8_t> truth(const zoo::Drawing& d) {
  Image out = d.image;
  const bool alone = d.objects.size() == 1;
  for (size_t i = 0; i < out.rgb.size() / 3; ++i) {
    uint8_t* pixel = out.rgb.data() + 3 * i;
    const Lab drawn = to_lab(pixel);
    Lab colour = {0.78f + 0.18f * drawn.L, 0, 0};
    for (size_t o = 0; o < d.objects.size(); ++o) {
      const zoo::Object& object = d.objects[o];
      if (!object.mask[i]) continue;
      Lab inside = alone ? Lab{0.35f + 0.35f * drawn.L, 0, 0} : (o == 0 ? kFirst : kSecond);
      if (!alone) inside.L += 0.5f * (drawn.L - 0.6f);
      if (alone)
        for (size_t p = 0; p < object.parts.size(); ++p)
          inside = mix(inside, part_colour(p), static_cast<float>(object.parts[p].mask[i]) / 255);
      colour = mix(colour, inside, static_cast<float>(object.mask[i]) / 255);
    }
    const Rgb rgb = to_rgb(colour);
    std::copy(rgb.begin(), rgb.end(), pixel);
  }
  return encode_png(out);
}

std::string key(const zoo::Object& object) {
  std::string out = "<div class=\"key small\">";
  for (size_t p = 0; p < object.parts.size(); ++p)
    out += "<span><i style=\"background:" + css(part_colour(p)) + "\"></i>" + escaped(object.parts[p].name) +
           "</span>";
  return out + "</div>";
}

std::string outline(const zoo::Mask& mask) {
  constexpr int64_t n = zoo::kSize;
  const auto inside = [&](int64_t y, int64_t x) {
    return y >= 0 && y < n && x >= 0 && x < n && mask[static_cast<size_t>(y * n + x)] >= 128;
  };
  std::string path;
  const auto runs = [&](bool horizontal) {
    for (int64_t line = 0; line <= n; ++line)
      for (int64_t i = 0; i < n;) {
        const auto edge = [&](int64_t k) {
          return horizontal ? inside(line - 1, k) != inside(line, k) : inside(k, line - 1) != inside(k, line);
        };
        const int64_t begin = i;
        while (i < n && edge(i)) ++i;
        if (i > begin)
          path += "M" + std::to_string(horizontal ? begin : line) + " " +
                  std::to_string(horizontal ? line : begin) + (horizontal ? "h" : "v") +
                  std::to_string(i - begin);
        else
          ++i;
      }
  };
  runs(true);
  runs(false);
  return path;
}

}  // namespace loupe::tour
