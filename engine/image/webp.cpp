// WebP by libwebp, where the build has it.
#include <string>

#include "engine/image/container.h"
#include "engine/image/decoders.h"
#include "kernels/common/error.h"

#ifdef LOUPE_HAS_LIBWEBP
#include <webp/decode.h>
#endif

namespace loupe {

#ifndef LOUPE_HAS_LIBWEBP

bool has_libwebp() { return false; }
Image decode_webp(std::span<const uint8_t>) {
  throw Error("it is a WebP picture, and this build of Loupe lacks libwebp; save it as PNG or JPEG");
}

#else

bool has_libwebp() { return true; }

Image decode_webp(std::span<const uint8_t> b) {
  const Error truncated("the WebP is truncated: it is shorter than it says");
  if (b.size() < 12) throw truncated;
  const uint64_t riff = b[4] | uint64_t{b[5]} << 8 | uint64_t{b[6]} << 16 | uint64_t{b[7]} << 24;
  if (riff + 8 > b.size()) throw truncated;
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(b.data(), b.size(), &features) != VP8_STATUS_OK)
    throw Error("the WebP is damaged: its header makes no sense");
  if (features.has_animation) throw Error("an animated WebP is not read; save one frame of it");
  // A lossless picture of one colour takes next to nothing whatever its size.
  check_size(features.width, features.height, b, kMaxPixels / 64);
  Image image{features.width, features.height,
              std::vector<uint8_t>(size_t{3} * features.width * features.height)};
  if (!WebPDecodeRGBInto(b.data(), b.size(), image.rgb.data(), image.rgb.size(), 3 * features.width))
    throw Error("the WebP is damaged: its pixels cannot be decoded");
  return image;
}

#endif

}  // namespace loupe
