// The first frame of a GIF. A decoder of our own: the ones that are at hand keep silent where the data end early.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/image/container.h"
#include "engine/image/decoders.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

using Bytes = std::span<const uint8_t>;

Error truncated() { return Error("the GIF is truncated: it ends before its first picture does"); }
Error damaged(const std::string& how) { return Error("the GIF is damaged: " + how); }

/// Bytes from the front, each there or an error.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  int byte() { return take(1)[0]; }
  int little_16() {
    const Bytes two = take(2);
    return two[0] | two[1] << 8;
  }
  Bytes take(size_t n) {
    if (n > bytes_.size()) throw truncated();
    const Bytes front = bytes_.first(n);
    bytes_ = bytes_.subspan(n);
    return front;
  }
  /// Blocks of up to 255 bytes until an empty one, put together.
  std::vector<uint8_t> blocks() {
    std::vector<uint8_t> all;
    for (int size = byte(); size > 0; size = byte()) {
      const Bytes block = take(static_cast<size_t>(size));
      all.insert(all.end(), block.begin(), block.end());
    }
    return all;
  }

 private:
  Bytes bytes_;
};

/// Codes of growing width, the lowest bit first, each a string of earlier pixels and one more (appendix F).
std::vector<uint8_t> unpack(Bytes data, int literal_bits, size_t pixels) {
  if (literal_bits < 1 || literal_bits > 8) throw damaged("its codes have an impossible width");
  constexpr int kMostBits = 12;
  const int clear = 1 << literal_bits, end = clear + 1;
  struct Entry {
    int16_t before;  // the string without its last pixel; -1: none
    uint8_t first, last;
  };
  std::vector<Entry> table(size_t{1} << kMostBits);
  for (int i = 0; i < clear; ++i) table[i] = {-1, static_cast<uint8_t>(i), static_cast<uint8_t>(i)};
  std::vector<uint8_t> out;
  out.reserve(pixels);
  int width = literal_bits + 1, next = end + 1, before = -1, held = 0;
  uint32_t bits = 0;
  for (size_t at = 0; out.size() < pixels;) {
    for (; held < width; held += 8) {
      if (at == data.size()) throw truncated();
      bits |= uint32_t{data[at++]} << held;
    }
    const int code = static_cast<int>(bits & ((1u << width) - 1));
    bits >>= width, held -= width;
    if (code == clear) {
      width = literal_bits + 1, next = end + 1, before = -1;
      continue;
    }
    if (code == end) throw truncated();
    if (code > next || (code == next && before < 0) || (code > end && before < 0))
      throw damaged("it uses a code that it has not made");
    const uint8_t first = code == next ? table[before].first : table[code].first;
    if (before >= 0 && next < 1 << kMostBits) {
      table[next] = {static_cast<int16_t>(before), table[before].first, first};
      if (++next == 1 << width && width < kMostBits) ++width;
    }
    const size_t start = out.size();
    for (int c = code; c >= 0; c = table[c].before) out.push_back(table[c].last);
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(start), out.end());
    before = code;
  }
  out.resize(pixels);
  return out;
}

struct Frame {
  int left, top, width, height;
  bool interlaced;
};

/// The row of the picture that the i-th row of the data is.
int row_of(const Frame& frame, int i) {
  if (!frame.interlaced) return i;
  for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}}) {
    const int rows = std::max(0, (frame.height - first + step - 1) / step);
    if (i < rows) return first + i * step;
    i -= rows;
  }
  return i;
}

}  // namespace

Image decode_gif(Bytes b) {
  Reader reader(b);
  reader.take(6);  // GIF87a or GIF89a
  int64_t width = reader.little_16(), height = reader.little_16();
  const int flags = reader.byte(), background = reader.byte();
  reader.byte();  // the pixels' aspect ratio
  const auto palette_of = [&](int f) { return f & 0x80 ? reader.take(size_t{3} << ((f & 7) + 1)) : Bytes(); };
  const Bytes global = palette_of(flags);
  for (;;) {
    const int kind = reader.byte();
    if (kind == 0x21) {  // an extension
      reader.byte();
      reader.blocks();
      continue;
    }
    if (kind == 0x3B) throw damaged("it holds no picture");
    if (kind != 0x2C) throw damaged("a block is of no known kind");
    break;
  }
  Frame frame{reader.little_16(), reader.little_16(), reader.little_16(), reader.little_16(), false};
  const int local_flags = reader.byte();
  frame.interlaced = local_flags & 0x40;
  const Bytes local = palette_of(local_flags), palette = local.empty() ? global : local;
  if (palette.empty()) throw damaged("it has no palette");
  if (frame.width < 1 || frame.height < 1) throw damaged("its first picture is empty");
  width = std::max<int64_t>(width, frame.left + frame.width);
  height = std::max<int64_t>(height, frame.top + frame.height);
  // Twelve bits of a code stand for at most 4096 pixels; the canvas around the frame needs none.
  check_size(width, height, b, 4096);
  const int literal_bits = reader.byte();
  const auto pixels = unpack(reader.blocks(), literal_bits, size_t(frame.width) * size_t(frame.height));

  Image image{width, height, std::vector<uint8_t>(size_t(3 * width * height))};
  const auto colour = [](Bytes of, int index) -> Bytes {
    static constexpr uint8_t kBlack[3] = {};
    const size_t at = 3 * static_cast<size_t>(index);
    return at + 3 <= of.size() ? of.subspan(at, 3) : Bytes(kBlack);
  };
  if (frame.width < width || frame.height < height)
    for (size_t i = 0; i < image.rgb.size(); i += 3)
      std::copy_n(colour(global, background).begin(), 3, &image.rgb[i]);
  for (int i = 0; i < frame.height; ++i)
    for (int x = 0; x < frame.width; ++x)
      std::copy_n(colour(palette, pixels[size_t(i) * size_t(frame.width) + size_t(x)]).begin(), 3,
                  image.pixel(frame.top + row_of(frame, i), frame.left + x));
  return image;
}

}  // namespace loupe
