#include "engine/image/container.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "engine/image/image.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

using Bytes = std::span<const uint8_t>;

uint32_t big_endian_16(Bytes b, size_t i) { return uint32_t{b[i]} << 8 | b[i + 1]; }
uint32_t big_endian_32(Bytes b, size_t i) { return big_endian_16(b, i) << 16 | big_endian_16(b, i + 2); }

bool has(Bytes b, size_t at, std::string_view magic) {
  return b.size() >= at + magic.size() && std::equal(magic.begin(), magic.end(), b.begin() + at,
                                                     [](char c, uint8_t x) { return static_cast<uint8_t>(c) == x; });
}

/// Tabs, line ends and printable bytes only (UTF-8 included) at the start.
bool looks_like_text(Bytes b) {
  const Bytes start = b.first(std::min<size_t>(b.size(), 512));
  return std::all_of(start.begin(), start.end(),
                     [](uint8_t c) { return c == '\t' || c == '\n' || c == '\r' || (c >= 32 && c != 127); });
}

void check_size(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) throw Error("the picture is empty: its header says that a side is zero");
  // Sides are below 2^32, so the product does not overflow.
  if (width * height > kMaxPixels || std::max(width, height) > (1 << 24))
    throw Error("the header claims " + std::to_string(width) + "×" + std::to_string(height) +
                " pixels, more than can be read (" + std::to_string(kMaxPixels) + "); make the picture smaller");
}

}  // namespace

ImageFormat image_format(Bytes b) {
  using namespace std::string_view_literals;
  if (b.empty()) throw Error("the file is empty");
  if (has(b, 0, "\xFF\xD8\xFF"sv)) return ImageFormat::jpeg;
  if (has(b, 0, "\x89PNG\r\n\x1A\n"sv)) return ImageFormat::png;

  std::string_view what;
  if (has(b, 0, "BM"sv)) what = "a BMP picture";
  else if (has(b, 0, "GIF8"sv)) what = "a GIF picture";
  else if (has(b, 0, "RIFF"sv) && has(b, 8, "WEBP"sv)) what = "a WebP picture";
  else if (has(b, 0, "II*\0"sv) || has(b, 0, "MM\0*"sv)) what = "a TIFF picture";
  else if (has(b, 4, "ftypavif"sv)) what = "an AVIF picture";
  else if (has(b, 4, "ftypheic"sv) || has(b, 4, "ftypmif1"sv)) what = "a HEIC picture";
  else if (has(b, 0, "8BPS"sv)) what = "a Photoshop file";
  else if (has(b, 0, "%PDF"sv)) what = "a PDF file";
  else if (has(b, 0, "\xFF\x0A"sv) || has(b, 4, "JXL "sv)) what = "a JPEG XL picture";
  else if (has(b, 4, "jP  "sv)) what = "a JPEG 2000 picture";
  else if (b.size() < 8) what = "too short for a picture";
  else if (looks_like_text(b)) what = "text";
  if (what.empty()) throw Error("not a picture that can be read: JPEG and PNG are");
  throw Error("it is " + std::string(what) + "; JPEG and PNG are read");
}

void check_jpeg(Bytes b) {
  constexpr uint8_t kEndOfImage = 0xD9, kStartOfScan = 0xDA;
  const Error truncated("the JPEG is truncated: it ends before its end-of-image marker");
  struct Frame {
    int components;
    uint8_t ids[3];
  };
  std::optional<Frame> frame;
  std::bitset<3> scanned;  // which components had a scan

  for (size_t i = 2;;) {
    // The next marker: 0xFF and a code. Between segments this passes over padding, after a scan header over the
    // entropy-coded data, in which 0xFF is followed by 0 or is a restart marker.
    while (i + 1 < b.size() && (b[i] != 0xFF || b[i + 1] == 0 || b[i + 1] == 0xFF || (b[i + 1] & 0xF8) == 0xD0)) ++i;
    if (i + 1 >= b.size()) throw truncated;
    const uint8_t marker = b[i + 1];
    i += 2;
    if (marker == kEndOfImage) break;
    if (marker == 0x01 || marker == 0xD8) continue;  // these have no length

    if (i + 2 > b.size()) throw truncated;
    const size_t length = big_endian_16(b, i);
    if (length < 2) throw Error("the JPEG is damaged: a segment has an impossible length");
    if (i + length > b.size()) throw truncated;
    const Bytes segment = b.subspan(i + 2, length - 2);
    i += length;

    const bool is_frame = (marker & 0xF0) == 0xC0 && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      if (frame) throw Error("the JPEG is damaged: it has two frame headers");
      if (marker > 0xC2) throw Error("a lossless, hierarchical or arithmetic-coded JPEG is not read; save it as an ordinary one");
      if (segment.size() < 6) throw Error("the JPEG is damaged: its frame header is too short");
      if (segment[0] != 8) throw Error("a JPEG of " + std::to_string(segment[0]) + " bits is not read, only 8 bits");
      check_size(big_endian_16(segment, 3), big_endian_16(segment, 1));
      const int components = segment[5];
      if (components == 4) throw Error("a CMYK JPEG is not read; convert it to RGB");
      if ((components != 1 && components != 3) || segment.size() < 6 + 3 * static_cast<size_t>(components))
        throw Error("the JPEG is damaged: its frame header makes no sense");
      frame = Frame{components, {}};
      for (int c = 0; c < components; ++c) frame->ids[c] = segment[static_cast<size_t>(6 + 3 * c)];
    } else if (marker == kStartOfScan) {
      if (!frame) throw Error("the JPEG is damaged: a scan comes before the frame header");
      if (segment.empty() || segment.size() < 1 + 2 * static_cast<size_t>(segment[0]))
        throw Error("the JPEG is damaged: a scan header is too short");
      for (size_t s = 0; s < segment[0]; ++s)
        for (int c = 0; c < frame->components; ++c)
          if (frame->ids[c] == segment[1 + 2 * s]) scanned.set(static_cast<size_t>(c));
    }
  }
  if (!frame || static_cast<int>(scanned.count()) < frame->components)
    throw Error("the JPEG is damaged: it ends before all of its components came");
}

namespace {

/// CRC-32 as PNG has it (ISO 3309), a byte at a time.
uint32_t crc32(Bytes b) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t n = 0; n < 256; ++n) {
      uint32_t c = n;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[n] = c;
    }
    return t;
  }();
  uint32_t c = 0xFFFFFFFFu;
  for (const uint8_t x : b) c = table[(c ^ x) & 0xFF] ^ (c >> 8);
  return ~c;
}

}  // namespace

void check_png(Bytes b) {
  bool first = true;
  for (size_t i = 8;;) {
    // A chunk: length, name, data, CRC of name and data.
    if (b.size() - i < 12 || b.size() - i - 12 < big_endian_32(b, i))
      throw Error("the PNG is truncated: it ends before its IEND chunk");
    const size_t length = big_endian_32(b, i);
    const Bytes name = b.subspan(i + 4, 4), data = b.subspan(i + 8, length);
    if (crc32(b.subspan(i + 4, 4 + length)) != big_endian_32(b, i + 8 + length))
      throw Error("the PNG is damaged: a checksum differs");
    if (first) {
      if (!has(name, 0, "IHDR") || length != 13) throw Error("the PNG is damaged: it does not begin with IHDR");
      check_size(big_endian_32(data, 0), big_endian_32(data, 4));
      first = false;
    }
    if (has(name, 0, "IEND")) return;
    i += 12 + length;
  }
}

}  // namespace loupe
