// The one thing that a picture's EXIF data say about its pixels: which way up they are.
#pragma once
#include <cstdint>
#include <span>

#include "engine/image/container.h"
#include "engine/image/image.h"

namespace loupe {

/// The orientation that a file's EXIF data name (CIPA DC-008, tag 0x0112): 1 to 8; 1, as the pixels are stored, where
/// they name none or make no sense. JPEG's APP1 segment, PNG's eXIf and WebP's EXIF chunk are looked at.
int exif_orientation(std::span<const uint8_t> file, ImageFormat format);

/// The picture turned and mirrored as an orientation asks. Throws nothing: what is not 2 to 8 leaves it as it is.
Image upright(Image image, int orientation);

}  // namespace loupe
