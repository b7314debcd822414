#include "engine/image/alpha.h"

#include <stb_image_write.h>

#include "kernels/common/error.h"

namespace loupe {

std::vector<uint8_t> encode_png(const Image& image, std::span<const uint8_t> alpha) {
  const int64_t pixels = image.width * image.height;
  if (pixels < 1 || std::ssize(image.rgb) != 3 * pixels || std::ssize(alpha) != pixels)
    throw Error("a PNG with transparency needs three colours and an alpha for each of its pixels");
  std::vector<uint8_t> rgba, png;
  rgba.reserve(static_cast<size_t>(4 * pixels));
  for (size_t i = 0; i < alpha.size(); ++i) {
    rgba.insert(rgba.end(), image.rgb.begin() + static_cast<ptrdiff_t>(3 * i),
                image.rgb.begin() + static_cast<ptrdiff_t>(3 * i + 3));
    rgba.push_back(alpha[i]);
  }
  const auto append = [](void* to, void* data, int size) {
    auto* bytes = static_cast<std::vector<uint8_t>*>(to);
    const auto* from = static_cast<const uint8_t*>(data);
    bytes->insert(bytes->end(), from, from + size);
  };
  const int width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  if (!stbi_write_png_to_func(append, &png, width, height, 4, rgba.data(), 4 * width))
    throw Error("cannot make a PNG: there is not enough memory");
  return png;
}

}  // namespace loupe
