#include "engine/image/image.h"

#include <stb_image.h>
#include <stb_image_write.h>

#include <limits>
#include <memory>

#include "engine/file/file.h"
#include "engine/image/container.h"
#include "engine/image/decoders.h"
#include "engine/image/exif.h"
#include "kernels/common/error.h"

namespace loupe {

namespace {

Image by_stb(std::span<const uint8_t> bytes, const char* format) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    throw Error("the file is larger than 2 GiB");
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<uint8_t, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3),
      stbi_image_free);
  if (!pixels) {
    const std::string reason = stbi_failure_reason() ? stbi_failure_reason() : "it cannot be decoded";
    if (reason == "outofmem") throw Error("there is not enough memory for the picture");
    throw Error("the " + std::string(format) + " is damaged: " + reason);
  }
  return {width, height, {pixels.get(), pixels.get() + int64_t{3} * width * height}};
}

Image decode(std::span<const uint8_t> bytes, ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      if (check_jpeg(bytes) == 4 && !has_libjpeg())
        throw Error("a CMYK JPEG is not read by this build, which lacks libjpeg-turbo; convert it to RGB");
      return has_libjpeg() ? decode_jpeg(bytes) : by_stb(bytes, "JPEG");
    case ImageFormat::png:
      check_png(bytes);
      return by_stb(bytes, "PNG");
    case ImageFormat::bmp:
      check_bmp(bytes);
      return by_stb(bytes, "BMP");
    case ImageFormat::gif:
      return decode_gif(bytes);
    case ImageFormat::webp:
      return decode_webp(bytes);
  }
  throw Error("not a picture that can be read");
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, Orientation orientation) {
  const ImageFormat format = image_format(bytes);
  Image image = decode(bytes, format);
  return orientation == Orientation::ignore ? image
                                            : upright(std::move(image), exif_orientation(bytes, format));
}

std::string picture_readers() {
  return std::string(has_libjpeg() ? "JPEG by libjpeg-turbo"
                                   : "JPEG by stb, without CMYK (no libjpeg-turbo)") +
         ", PNG, BMP, GIF" + (has_libwebp() ? ", WebP by libwebp" : "; no WebP (no libwebp)");
}

Image read_image(const std::filesystem::path& path, Orientation orientation) {
  try {
    return decode_image(read_file(path), orientation);
  } catch (const std::bad_alloc&) {
    throw Error("cannot read " + path.string() + ": there is not enough memory for the picture");
  } catch (const Error& e) {
    throw Error("cannot read " + path.string() + ": " + e.what());
  }
}

namespace {

void check_whole(const Image& image) {
  const int64_t size = image.width * image.height * 3;
  if (image.width <= 0 || image.height <= 0 || size > std::numeric_limits<int>::max() ||
      static_cast<int64_t>(image.rgb.size()) != size)
    throw Error("cannot make a picture of " + std::to_string(image.width) + "×" +
                std::to_string(image.height) + " pixels from " + std::to_string(image.rgb.size()) + " bytes");
}

void append(void* to, void* data, int bytes) {
  const auto* from = static_cast<const uint8_t*>(data);
  auto& file = *static_cast<std::vector<uint8_t>*>(to);
  file.insert(file.end(), from, from + bytes);
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image) {
  check_whole(image);
  std::vector<uint8_t> png;
  const int width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  if (!stbi_write_png_to_func(append, &png, width, height, 3, image.rgb.data(), 3 * width))
    throw Error("cannot make a PNG: there is not enough memory");
  return png;
}

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  check_whole(image);
  std::vector<uint8_t> jpeg;
  if (!stbi_write_jpg_to_func(append, &jpeg, static_cast<int>(image.width), static_cast<int>(image.height), 3,
                              image.rgb.data(), quality))
    throw Error("cannot make a JPEG: its sides are too long");
  return jpeg;
}

void write_png(const std::filesystem::path& path, const Image& image) { write_file(path, encode_png(image)); }

std::string base64(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) text += k <= n ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace loupe
