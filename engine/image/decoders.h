// Decoders of one format each, behind decode_image(). All throw Error, one line, for whatever is not whole.
#pragma once
#include <cstdint>
#include <span>

#include "engine/image/image.h"

namespace loupe {

/// Whether this build decodes JPEG by libjpeg-turbo: CMYK too, and data that end early are an error.
bool has_libjpeg();
/// A JPEG that check_jpeg() let pass. The bits are libjpeg's own (accurate integer DCT, smooth upsampling), as Pillow's.
Image decode_jpeg(std::span<const uint8_t> bytes);

/// The first frame of a GIF (the GIF89a specification), on the canvas that the file names. A transparent pixel shows its
/// entry of the palette, as in Pillow's convert("RGB").
Image decode_gif(std::span<const uint8_t> bytes);

bool has_libwebp();
/// A still WebP, lossy or lossless.
Image decode_webp(std::span<const uint8_t> bytes);

}  // namespace loupe
