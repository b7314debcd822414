#include "tools/loupe/search/tiles.h"

#include <algorithm>

#include "engine/image/resize.h"
#include "kernels/common/array.h"

namespace loupe {

Image cut(const Image& picture, const std::array<int32_t, 4>& crop) {
  const auto [y0, x0, y1, x1] = crop;
  Image part{x1 - x0, y1 - y0, {}};
  for (int64_t y = y0; y < y1; ++y)
    part.rgb.insert(part.rgb.end(), picture.pixel(y, x0), picture.pixel(y, x0) + part.width * 3);
  return part;
}

Image fitted(const Image& picture, int64_t side) {
  const int64_t longest = std::max(picture.height, picture.width);
  const int64_t h = std::max<int64_t>(1, picture.height * side / longest),
                w = std::max<int64_t>(1, picture.width * side / longest);
  const bool grows = longest < side;
  const Image scaled = grows ? Image{} : resize(picture, w, h);
  Image out{side, side, {}};
  out.rgb.assign(static_cast<size_t>(side * side * 3), 200);
  const int64_t top = (side - h) / 2, left = (side - w) / 2;
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x) {
      const uint8_t* from =
          grows ? picture.pixel(y * picture.height / h, x * picture.width / w) : scaled.pixel(y, x);
      std::copy_n(from, 3, out.pixel(top + y, left + x));
    }
  return out;
}

Image tiled(std::span<const Image> squares, int64_t columns, int64_t side) {
  const int64_t rows = ceil_div(std::ssize(squares), columns), step = side + kGap;
  Image out{columns * step - kGap, rows * step - kGap, {}};
  out.rgb.assign(static_cast<size_t>(out.width * out.height * 3), 255);
  for (size_t i = 0; i < squares.size(); ++i) {
    const int64_t y = static_cast<int64_t>(i) / columns * step, x = static_cast<int64_t>(i) % columns * step;
    for (int64_t row = 0; row < side; ++row)
      std::copy_n(squares[i].pixel(row, 0), side * 3, out.pixel(y + row, x));
  }
  return out;
}

}  // namespace loupe
