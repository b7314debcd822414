#include "engine/image/exif.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace loupe {
namespace {

using Bytes = std::span<const uint8_t>;

/// Unsigned numbers of either byte order; 0 beyond the end.
struct Numbers {
  Bytes bytes;
  bool big = true;

  uint32_t at(size_t offset, size_t size) const {
    if (offset > bytes.size() || bytes.size() - offset < size) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[offset + (big ? i : size - 1 - i)];
    return value;
  }
};

bool has(Bytes b, size_t at, std::string_view magic) {
  return b.size() >= at && b.size() - at >= magic.size() &&
         std::equal(magic.begin(), magic.end(), b.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, uint8_t x) { return static_cast<uint8_t>(c) == x; });
}

/// The TIFF header and its first directory: entries of tag, type, count and value.
int orientation_of(Bytes tiff) {
  const bool big = has(tiff, 0, "MM");
  if (!big && !has(tiff, 0, "II")) return 1;
  const Numbers numbers{tiff, big};
  const size_t directory = numbers.at(4, 4), entries = numbers.at(directory, 2);
  constexpr uint32_t kOrientation = 0x0112, kShort = 3;
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) break;
    if (numbers.at(entry, 2) != kOrientation) continue;
    const uint32_t value = numbers.at(entry + 8, 2);
    return numbers.at(entry + 2, 2) == kShort && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

using namespace std::string_view_literals;

int of_jpeg(Bytes b) {
  const Numbers numbers{b};
  for (size_t i = 2; i + 4 <= b.size() && b[i] == 0xFF;) {
    const uint8_t marker = b[i + 1];
    if (marker == 0xFF) {  // padding
      ++i;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) break;  // pixels: nothing follows that says how they lie
    const size_t length = numbers.at(i + 2, 2);
    if (length < 2 || length > b.size() - i - 2) break;
    const Bytes segment = b.subspan(i + 4, length - 2);
    if (marker == 0xE1 && has(segment, 0, "Exif\0\0"sv)) return orientation_of(segment.subspan(6));
    i += 2 + length;
  }
  return 1;
}

/// Chunks of PNG (length, name, data, CRC; numbers big-endian) or WebP (name, length, data to an even length).
int of_chunks(Bytes b, bool png) {
  const Numbers numbers{b, png};
  for (size_t i = png ? 8 : 12; i + 8 <= b.size();) {
    const size_t length = numbers.at(png ? i : i + 4, 4), data = i + 8;
    if (length > b.size() - data) break;
    if (has(b, png ? i + 4 : i, png ? "eXIf"sv : "EXIF"sv)) {
      Bytes tiff = b.subspan(data, length);
      if (has(tiff, 0, "Exif\0\0"sv)) tiff = tiff.subspan(6);
      return orientation_of(tiff);
    }
    i = data + length + (png ? 4 : length % 2);
  }
  return 1;
}

}  // namespace

int exif_orientation(Bytes file, ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return of_jpeg(file);
    case ImageFormat::png:
      return of_chunks(file, true);
    case ImageFormat::webp:
      return of_chunks(file, false);
    default:
      return 1;
  }
}

Image upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swaps = orientation >= 5;  // rows become columns
  const int64_t w = image.width, h = image.height;
  Image turned{swaps ? h : w, swaps ? w : h, std::vector<uint8_t>(image.rgb.size())};
  for (int64_t y = 0; y < turned.height; ++y)
    for (int64_t x = 0; x < turned.width; ++x) {
      int64_t row = swaps ? x : y, column = swaps ? y : x;
      // Which stored corner shows at the top left: 2 and 3 the right one, 3 and 4 the bottom one; likewise 7, 8 and 6, 7.
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        column = w - 1 - column;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) row = h - 1 - row;
      std::copy_n(image.pixel(row, column), 3, turned.pixel(y, x));
    }
  return turned;
}

}  // namespace loupe
