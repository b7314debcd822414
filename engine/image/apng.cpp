#include "engine/image/apng.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "kernels/common/error.h"

namespace loupe {

namespace {
using Bytes = std::vector<uint8_t>;

void append32(Bytes& to, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(v >> shift));
}
void append16(Bytes& to, uint32_t v) {
  for (int shift = 8; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(v >> shift));
}
uint32_t read32(std::span<const uint8_t> at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

// CRC-32 of ISO 3309, by a table.
uint32_t crc(std::span<const uint8_t> bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t;
    for (uint32_t n = 0; n < 256; ++n) {
      uint32_t c = n;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[n] = c;
    }
    return t;
  }();
  uint32_t c = 0xFFFFFFFFu;
  for (const uint8_t b : bytes) c = table[(c ^ b) & 0xFF] ^ (c >> 8);
  return ~c;
}

void append_chunk(Bytes& to, std::string_view kind, std::span<const uint8_t> data) {
  append32(to, static_cast<uint32_t>(data.size()));
  const size_t begin = to.size();
  to.insert(to.end(), kind.begin(), kind.end());
  to.insert(to.end(), data.begin(), data.end());
  append32(to, crc(std::span(to).subspan(begin)));
}

// The data of a PNG's chunks of that kind, joined.
Bytes chunks(std::span<const uint8_t> png, std::string_view kind) {
  Bytes all;
  for (size_t at = 8; at + 12 <= png.size();) {
    const size_t size = read32(png.subspan(at));
    if (std::ranges::equal(png.subspan(at + 4, 4), kind)) {
      const auto data = png.subspan(at + 8, size);
      all.insert(all.end(), data.begin(), data.end());
    }
    at += 12 + size;
  }
  return all;
}
// What fdAT holds: its place in the sequence, and an IDAT's data.
Bytes numbered(uint32_t sequence, const Bytes& data) {
  Bytes all(data.size() + 4);
  for (size_t k = 0; k < 4; ++k) all[k] = static_cast<uint8_t>(sequence >> (24 - 8 * k));
  std::ranges::copy(data, all.begin() + 4);
  return all;
}
}  // namespace

std::vector<uint8_t> encode_apng(std::span<const Image> frames, int milliseconds) {
  if (frames.empty()) throw Error("an animation needs a frame");
  Bytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  uint32_t sequence = 0;  // of fcTL and fdAT together
  for (size_t i = 0; i < frames.size(); ++i) {
    const Image& frame = frames[i];
    if (frame.width != frames[0].width || frame.height != frames[0].height)
      throw Error("the frames of an animation have one size");
    const Bytes png = encode_png(frame);
    if (i == 0) {
      append_chunk(file, "IHDR", chunks(png, "IHDR"));
      Bytes control;
      append32(control, static_cast<uint32_t>(frames.size()));
      append32(control, 0);  // again and again
      append_chunk(file, "acTL", control);
    }
    const int shown = milliseconds * (i + 1 == frames.size() ? 10 : 1);
    Bytes control;
    for (const int64_t v : {int64_t{sequence++}, frame.width, frame.height, int64_t{0}, int64_t{0}})
      append32(control, static_cast<uint32_t>(v));
    append16(control, static_cast<uint32_t>(std::min(shown, 65535)));
    append16(control, 1000);
    append16(control, 0);  // nothing is cleared, and the frame replaces what was there
    append_chunk(file, "fcTL", control);
    Bytes data = chunks(png, "IDAT");
    if (i > 0) data = numbered(sequence++, data);
    append_chunk(file, i == 0 ? "IDAT" : "fdAT", data);
  }
  append_chunk(file, "IEND", {});
  return file;
}

}  // namespace loupe
