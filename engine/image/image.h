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

/// What becomes of the orientation that a picture's EXIF data name: applied, as browsers do, or ignored, so that the
/// pixels lie as they are stored.
enum class Orientation : uint8_t { apply, ignore };

/// Reads a picture: JPEG, PNG, BMP, the first frame of a GIF, and WebP where the build has libwebp. Grey becomes RGB, an
/// alpha channel is dropped, of 16-bit samples the high byte is kept. CMYK and YCCK JPEGs are taken as Adobe's are,
/// inverted: R = (255 − C)(255 − K)/255, rounded as Pillow does. Throws Error, one line that names the file, if it is
/// missing, not a file, of another format, truncated, damaged, of a kind that this build cannot read, or beyond
/// kMaxPixels.
Image read_image(const std::filesystem::path& path, Orientation = Orientation::apply);
/// The same from memory; the Error then names no file.
Image decode_image(std::span<const uint8_t> bytes, Orientation = Orientation::apply);

/// Who decodes what in this build, for people.
std::string picture_readers();

/// The bytes of a PNG file.
std::vector<uint8_t> encode_png(const Image& image);
/// Writes a PNG under a temporary name, then renames it. Throws Error, naming the file, and leaves nothing
/// behind if that fails.
void write_png(const std::filesystem::path& path, const Image& image);

/// The bytes of a JPEG file, for pictures that need not be exact. quality: 1 to 100.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality = 85);

/// Base64 (RFC 4648), for data: URLs.
std::string base64(std::span<const uint8_t> bytes);

}  // namespace loupe
