#include "engine/image/container.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/image/image.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

using Bytes = std::span<const uint8_t>;

uint32_t big_endian_16(Bytes b, size_t i) { return uint32_t{b[i]} << 8 | b[i + 1]; }
uint32_t big_endian_32(Bytes b, size_t i) { return big_endian_16(b, i) << 16 | big_endian_16(b, i + 2); }

bool has(Bytes b, size_t at, std::string_view magic) {
  return b.size() >= at + magic.size() &&
         std::equal(magic.begin(), magic.end(), b.begin() + at,
                    [](char c, uint8_t x) { return static_cast<uint8_t>(c) == x; });
}

/// Tabs, line ends and printable bytes only (UTF-8 included) at the start.
bool looks_like_text(Bytes b) {
  const Bytes start = b.first(std::min<size_t>(b.size(), 512));
  return std::all_of(start.begin(), start.end(),
                     [](uint8_t c) { return c == '\t' || c == '\n' || c == '\r' || (c >= 32 && c != 127); });
}

}  // namespace

void check_size(int64_t width, int64_t height, Bytes file, int64_t most) {
  if (width <= 0 || height <= 0) throw Error("the picture is empty: its header says that a side is zero");
  if (std::max(width, height) > (1 << 24) || width * height > kMaxPixels)
    throw Error("the header claims " + std::to_string(width) + "×" + std::to_string(height) +
                " pixels, more than can be read (" + std::to_string(kMaxPixels) +
                "); make the picture smaller");
  if (width * height > most * static_cast<int64_t>(file.size()))
    throw Error("the header claims " + std::to_string(width) + "×" + std::to_string(height) +
                " pixels, which a file of " + std::to_string(file.size()) + " bytes cannot hold");
}

const char* readable_formats() { return "JPEG, PNG, BMP, GIF and WebP"; }

ImageFormat image_format(Bytes b) {
  using namespace std::string_view_literals;
  if (b.empty()) throw Error("the file is empty");
  if (has(b, 0, "\xFF\xD8\xFF"sv)) return ImageFormat::jpeg;
  if (has(b, 0, "\x89PNG\r\n\x1A\n"sv)) return ImageFormat::png;

  if (has(b, 0, "GIF87a"sv) || has(b, 0, "GIF89a"sv)) return ImageFormat::gif;
  if (has(b, 0, "BM"sv) && b.size() >= 26) return ImageFormat::bmp;
  if (has(b, 0, "RIFF"sv) && has(b, 8, "WEBP"sv)) return ImageFormat::webp;

  std::string_view what;
  if (has(b, 0, "II*\0"sv) || has(b, 0, "MM\0*"sv))
    what = "a TIFF picture";
  else if (has(b, 4, "ftypavif"sv))
    what = "an AVIF picture";
  else if (has(b, 4, "ftypheic"sv) || has(b, 4, "ftypmif1"sv))
    what = "a HEIC picture";
  else if (has(b, 0, "8BPS"sv))
    what = "a Photoshop file";
  else if (has(b, 0, "%PDF"sv))
    what = "a PDF file";
  else if (has(b, 0, "\xFF\x0A"sv) || has(b, 4, "JXL "sv))
    what = "a JPEG XL picture";
  else if (has(b, 4, "jP  "sv))
    what = "a JPEG 2000 picture";
  else if (b.size() < 8)
    what = "too short for a picture";
  else if (looks_like_text(b))
    what = "text";
  if (what.empty())
    throw Error(std::string("not a picture that can be read: ") + readable_formats() + " are");
  throw Error("it is " + std::string(what) + "; " + readable_formats() + " are read");
}

namespace {

Error damaged_jpeg(const std::string& how) { return Error("the JPEG is damaged: " + how); }

/// What the segments before a scan have to provide.
struct JpegTables {
  std::bitset<4> quantization, dc, ac;  // by table number
};

struct JpegFrame {
  struct Component {
    uint8_t id, quantization;
    bool scanned = false;
  };
  bool progressive;
  std::vector<Component> components;
};

JpegFrame read_frame(uint8_t marker, Bytes b, Bytes file) {
  if (marker > 0xC2)
    throw Error("a lossless, hierarchical or arithmetic-coded JPEG is not read; save it as an ordinary one");
  if (b.size() < 6) throw damaged_jpeg("its frame header is too short");
  if (b[0] != 8) throw Error("a JPEG of " + std::to_string(b[0]) + "-bit samples is not read, only 8-bit");
  // A block takes a bit or more, and there are at least 9 blocks (of 8×8 samples) in an MCU of 32×32 pixels.
  check_size(big_endian_16(b, 3), big_endian_16(b, 1), file, 8 * 114);
  const size_t count = b[5];
  if ((count != 1 && count != 3 && count != 4) || b.size() < 6 + 3 * count)
    throw damaged_jpeg("its frame header makes no sense");
  JpegFrame frame{marker == 0xC2, {}};
  for (size_t c = 0; c < count; ++c) frame.components.push_back({b[6 + 3 * c], b[8 + 3 * c]});
  return frame;
}

void read_quantization(Bytes b, JpegTables& tables) {
  for (size_t i = 0; i < b.size();) {
    if (b[i] >> 4 > 1 || (b[i] & 15) > 3) throw damaged_jpeg("it has an impossible quantization table");
    tables.quantization.set(b[i] & 15);
    i += b[i] >> 4 ? 129 : 65;
    if (i > b.size()) throw damaged_jpeg("a quantization table is cut off");
  }
}

void read_huffman(Bytes b, JpegTables& tables) {
  for (size_t i = 0; i < b.size();) {
    // Class and number, how many codes of each length 1 to 16, then a symbol a code.
    const Error impossible = damaged_jpeg("it has an impossible Huffman table");
    if (b.size() - i < 17 || b[i] >> 4 > 1 || (b[i] & 15) > 3) throw impossible;
    size_t codes = 0, places = 1;  // places: unused codes of the current length
    for (size_t length = 1; length <= 16; ++length) {
      const size_t n = b[i + length];
      places *= 2;
      if (n > places) throw impossible;
      places -= n, codes += n;
    }
    if (codes > 256 || b.size() - i - 17 < codes) throw impossible;
    (b[i] >> 4 ? tables.ac : tables.dc).set(b[i] & 15);
    i += 17 + codes;
  }
}

void read_scan(Bytes b, const JpegTables& tables, JpegFrame& frame) {
  const size_t count = b.empty() ? 0 : b[0];
  if (count < 1 || b.size() < 4 + 2 * count) throw damaged_jpeg("a scan header is too short");
  const bool of_dc = !frame.progressive || b[1 + 2 * count] == 0;  // spectral selection starts at 0
  const bool of_ac = !frame.progressive || !of_dc;
  const bool refines = frame.progressive && b[3 + 2 * count] >> 4 != 0;
  for (size_t s = 0; s < count; ++s) {
    const size_t dc = b[2 + 2 * s] >> 4, ac = b[2 + 2 * s] & 15;
    if (dc > 3 || ac > 3) throw damaged_jpeg("a scan header makes no sense");
    for (JpegFrame::Component& component : frame.components) {
      if (component.id != b[1 + 2 * s]) continue;
      if (component.quantization > 3 || !tables.quantization[component.quantization] ||
          (of_dc && !refines && !tables.dc[dc]) || (of_ac && !tables.ac[ac]))
        throw damaged_jpeg("a scan comes before its tables");
      if (of_dc) component.scanned = true;
    }
  }
}

}  // namespace

int check_jpeg(Bytes b) {
  const Error truncated("the JPEG is truncated: it ends before its end-of-image marker");
  std::optional<JpegFrame> frame;
  JpegTables tables;
  int scans = 0;
  for (size_t i = 2;;) {
    // The next marker: 0xFF and a code. Between segments this passes over padding, after a scan header over
    // the entropy-coded data, in which 0xFF is followed by 0 or is a restart marker.
    while (i + 1 < b.size() &&
           (b[i] != 0xFF || b[i + 1] == 0 || b[i + 1] == 0xFF || (b[i + 1] & 0xF8) == 0xD0))
      ++i;
    if (i + 1 >= b.size()) throw truncated;
    const uint8_t marker = b[i + 1];
    i += 2;
    if (marker == 0xD9) break;                       // end of image
    if (marker == 0x01 || marker == 0xD8) continue;  // these have no length

    if (i + 2 > b.size()) throw truncated;
    const size_t length = big_endian_16(b, i);
    if (length < 2) throw damaged_jpeg("a segment has an impossible length");
    if (i + length > b.size()) throw truncated;
    const Bytes segment = b.subspan(i + 2, length - 2);
    i += length;

    if (marker == 0xC4)
      read_huffman(segment, tables);
    else if (marker == 0xDB)
      read_quantization(segment, tables);
    else if (marker == 0xDA) {
      if (!frame) throw damaged_jpeg("a scan comes before the frame header");
      read_scan(segment, tables, *frame);
      // A file of a megabyte can hold thousands, each of which passes over the whole picture.
      if (++scans > 100) throw damaged_jpeg("it has more than 100 scans");
    } else if ((marker & 0xF0) == 0xC0 && marker != 0xC8 && marker != 0xCC) {
      if (frame) throw damaged_jpeg("it has two frame headers");
      frame = read_frame(marker, segment, b);
    }
  }
  const auto scanned = [](const JpegFrame::Component& c) { return c.scanned; };
  if (!frame || !std::all_of(frame->components.begin(), frame->components.end(), scanned))
    throw damaged_jpeg("it ends before all of its components came");
  return static_cast<int>(frame->components.size());
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
      if (!has(name, 0, "IHDR") || length != 13)
        throw Error("the PNG is damaged: it does not begin with IHDR");
      // A pixel takes a bit or more, and deflate shrinks at most 1032 times.
      check_size(big_endian_32(data, 0), big_endian_32(data, 4), b, 8 * 1032);
      first = false;
    }
    if (has(name, 0, "IEND")) return;
    i += 12 + length;
  }
}

void check_bmp(Bytes b) {
  const auto number = [&](size_t i) {
    return uint32_t{b[i]} | uint32_t{b[i + 1]} << 8 | uint32_t{b[i + 2]} << 16 | uint32_t{b[i + 3]} << 24;
  };
  const Error truncated("the BMP is truncated: it ends before its last pixel");
  if (b.size() < 26) throw truncated;
  const bool old = number(14) == 12;  // OS/2's header has its sides in 16 bits, and never compresses
  if (!old && b.size() < 54) throw truncated;
  const int64_t width = old ? number(18) & 0xFFFF : static_cast<int32_t>(number(18));
  const int64_t tall = old ? number(18) >> 16 : static_cast<int32_t>(number(22));
  const int64_t height = tall < 0 ? -tall : tall;  // below zero: from the top
  const int bits = old ? b[24] : b[28];
  const uint32_t compression = old ? 0 : number(30);
  constexpr uint32_t kBitFields = 3;
  if (compression != 0 && compression != kBitFields)
    throw Error("a compressed BMP is not read; save it without compression");
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    throw Error("a BMP of " + std::to_string(bits) + " bits a pixel is not read");
  check_size(width, height, b, 8);
  const int64_t row = (width * bits + 31) / 32 * 4, start = number(10);
  if (start < 26 || start + row * height - (row - (width * bits + 7) / 8) > std::ssize(b)) throw truncated;
}

}  // namespace loupe
