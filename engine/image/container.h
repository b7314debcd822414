// The outside of a picture file, looked at before any pixel is decoded. stb decodes what it can of a damaged
// file and says nothing, and some versions write past their Huffman tables; these checks find the damage
// before stb sees it, and sizes too large to allocate.
#pragma once
#include <cstdint>
#include <span>

namespace loupe {

enum class ImageFormat : uint8_t { jpeg, png, webp, bmp, gif };

/// Recognises the format by its first bytes. Throws Error for any other, naming it where it is a known one.
ImageFormat image_format(std::span<const uint8_t> bytes);

/// Walks the segments of a JPEG (ITU-T T.81, annex B), and says how many components it has. Throws Error if it ends before its end-of-image
/// marker, has a component without a scan, a scan without its tables, more than 100 scans or an impossible table, is
/// 12-bit, lossless or arithmetic-coded, or has more than kMaxPixels.
int check_jpeg(std::span<const uint8_t> bytes);

/// Walks the chunks of a PNG and compares their CRCs. Throws Error if it ends before its IEND chunk, a CRC
/// differs, or it has more than kMaxPixels.
void check_png(std::span<const uint8_t> bytes);

/// The headers of a Windows bitmap. Throws Error if it ends before the last pixel, is of a kind that is not read (only
/// 1, 4, 8, 16, 24 and 32 bits a pixel, without compression, are) or has more than kMaxPixels.
void check_bmp(std::span<const uint8_t> bytes);

/// Throws Error where a header claims sides that are empty, more pixels than kMaxPixels, or more than a file of that
/// many bytes can hold; `most`: pixels that a file of this format can hold in a byte.
void check_size(int64_t width, int64_t height, std::span<const uint8_t> file, int64_t most);

/// What is read, for people: "JPEG, PNG, BMP, GIF and WebP".
const char* readable_formats();

}  // namespace loupe
