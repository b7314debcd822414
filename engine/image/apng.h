// Animated PNG.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/image/image.h"

namespace loupe {

/// The bytes of an animated PNG (PNG specification, third edition, 11.3.6), which shows the frames one after the other,
/// `milliseconds` each, the last ten times as long, and begins again. Readers that know no animation show the first.
/// Throws Error without frames or for frames of different sizes.
std::vector<uint8_t> encode_apng(std::span<const Image> frames, int milliseconds);

}  // namespace loupe
