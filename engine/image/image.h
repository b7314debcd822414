// Image: 8-bit RGB pixels, and the files that they come from and go to.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace loupe {

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  // (height, width, 3), row-major

  /// The three bytes of the pixel in row y, column x.
  uint8_t* pixel(int64_t y, int64_t x) { return rgb.data() + (y * width + x) * 3; }
  const uint8_t* pixel(int64_t y, int64_t x) const { return rgb.data() + (y * width + x) * 3; }
};

/// The most pixels that are read: 2^28, about 268 million.
inline constexpr int64_t kMaxPixels = int64_t{1} << 28;

/// Reads a JPEG or PNG picture. Grey becomes RGB, an alpha channel is dropped, of 16-bit samples the high
/// byte is kept; EXIF rotation is not applied. Throws Error, one line that names the file, if it is missing,
/// not a file, of another format, truncated, damaged, a CMYK JPEG, or beyond kMaxPixels.
Image read_image(const std::filesystem::path& path);
/// The same from memory; the Error then names no file.
Image decode_image(std::span<const uint8_t> bytes);

/// The bytes of a PNG file.
std::vector<uint8_t> encode_png(const Image& image);
/// Writes a PNG under a temporary name, then renames it. Throws Error, naming the file, and leaves nothing
/// behind if that fails.
void write_png(const std::filesystem::path& path, const Image& image);

/// Base64 (RFC 4648), for data: URLs.
std::string base64(std::span<const uint8_t> bytes);

}  // namespace loupe
