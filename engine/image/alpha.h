// Pictures with an alpha channel, as results; those that are read lose theirs (engine/image/image.h).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/image/image.h"

namespace loupe {

/// The bytes of a PNG of which `alpha` (height, width) says how opaque each pixel is, 0 to 255. Throws Error where
/// there is not one for each pixel.
std::vector<uint8_t> encode_png(const Image& image, std::span<const uint8_t> alpha);

}  // namespace loupe
