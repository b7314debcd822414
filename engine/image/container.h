// The outside of a picture file, looked at before any pixel is decoded. stb decodes what it can of a damaged
// file and says nothing, and some versions write past their Huffman tables; these checks find the damage
// before stb sees it, and sizes too large to allocate.
#pragma once
#include <cstdint>
#include <span>

namespace loupe {

enum class ImageFormat : uint8_t { jpeg, png };

/// Recognises the format by its first bytes. Throws Error for any other, naming it where it is a known one.
ImageFormat image_format(std::span<const uint8_t> bytes);

/// Walks the segments of a JPEG (ITU-T T.81, annex B). Throws Error if it ends before its end-of-image
/// marker, has a component without a scan, a scan without its tables or an impossible table, is CMYK, 12-bit,
/// lossless or arithmetic-coded, or has more than kMaxPixels.
void check_jpeg(std::span<const uint8_t> bytes);

/// Walks the chunks of a PNG and compares their CRCs. Throws Error if it ends before its IEND chunk, a CRC
/// differs, or it has more than kMaxPixels.
void check_png(std::span<const uint8_t> bytes);

}  // namespace loupe
