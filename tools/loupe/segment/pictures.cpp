#include "tools/loupe/segment/pictures.h"

#include <algorithm>

#include "engine/image/alpha.h"

namespace loupe {

namespace {

using Rgb = std::array<uint8_t, 3>;

uint8_t blend(uint8_t from, int to, double part) {
  return static_cast<uint8_t>(static_cast<double>(from) * (1 - part) + to * part + 0.5);
}

void tint(Image& image, int64_t y, int64_t x, const Rgb& colour, double part) {
  uint8_t* p = image.pixel(y, x);
  for (size_t c = 0; c < 3; ++c) p[c] = blend(p[c], colour[c], part);
}

Image enlarged(const Image& image, int64_t scale) {
  Image large{image.width * scale, image.height * scale, {}};
  large.rgb.resize(image.rgb.size() * static_cast<size_t>(scale * scale));
  for (int64_t y = 0; y < large.height; ++y)
    for (int64_t x = 0; x < large.width; ++x)
      std::copy_n(image.pixel(y / scale, x / scale), 3, large.pixel(y, x));
  return large;
}

Image seeds_drawn(Image image, const std::vector<Seed>& seeds, int64_t scale) {
  const int64_t width = image.width / scale;
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width; ++x) {
      const Seed s = seeds[static_cast<size_t>(y / scale * width + x / scale)];
      if (s == Seed::foreground) tint(image, y, x, {230, 40, 40}, 0.75);
      if (s == Seed::background) tint(image, y, x, {40, 90, 230}, 0.6);
    }
  return image;
}

// Whether a pixel of the enlarged picture lies inside.
struct Inside {
  const Region& mask;
  int64_t scale;
  bool operator()(int64_t y, int64_t x) const {
    if (y < 0 || x < 0 || y >= mask.height * scale || x >= mask.width * scale) return false;
    return mask.at(y / scale, x / scale);
  }
};

Image outlined(Image image, const Inside& inside) {
  constexpr int64_t kWidth = 2;
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width; ++x) {
      if (!inside(y, x)) {
        tint(image, y, x, {0, 0, 0}, 0.6);
        continue;
      }
      bool edge = false;
      for (int64_t d = 1; d <= kWidth; ++d)
        edge |= !inside(y - d, x) || !inside(y + d, x) || !inside(y, x - d) || !inside(y, x + d);
      if (edge) tint(image, y, x, {255, 210, 0}, 1);
    }
  return image;
}

Image on_chequer(Image image, const Inside& inside) {
  constexpr int64_t kSquare = 8;
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width; ++x) {
      if (inside(y, x)) continue;
      const uint8_t grey = (y / kSquare + x / kSquare) % 2 ? 236 : 250;
      std::fill_n(image.pixel(y, x), 3, grey);
    }
  return image;
}

}  // namespace

Image mask_picture(const Region& mask) {
  Image image{mask.width, mask.height, {}};
  for (const uint8_t in : mask.inside) image.rgb.insert(image.rgb.end(), 3, in ? 255 : 0);
  return image;
}

std::vector<uint8_t> cut_out(const Image& photo, const Region& mask) {
  std::vector<uint8_t> alpha;
  Image colours = photo;
  for (size_t i = 0; i < mask.inside.size(); ++i) {
    alpha.push_back(mask.inside[i] ? 255 : 0);
    if (!mask.inside[i]) std::fill_n(colours.rgb.begin() + static_cast<ptrdiff_t>(3 * i), 3, uint8_t{0});
  }
  return encode_png(colours, alpha);
}

Image steps_picture(const Image& photo, const Image& over, const std::vector<Seed>& seeds,
                    const Region& mask) {
  constexpr int64_t kGap = 4;
  const int64_t scale = std::max<int64_t>(1, over.width / photo.width);
  const Image large = enlarged(photo, scale);
  const Inside inside{mask, scale};
  const std::vector<Image> tiles{large, over, seeds_drawn(large, seeds, scale), outlined(large, inside),
                                 on_chequer(large, inside)};
  const auto count = std::ssize(tiles);
  Image row{count * large.width + (count - 1) * kGap, large.height, {}};
  row.rgb.assign(static_cast<size_t>(row.width * row.height * 3), 255);
  for (int64_t t = 0; t < count; ++t)
    for (int64_t y = 0; y < large.height; ++y)
      std::copy_n(tiles[static_cast<size_t>(t)].pixel(y, 0), large.width * 3,
                  row.pixel(y, t * (large.width + kGap)));
  return row;
}

}  // namespace loupe
