#include "engine/tensor/npy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/file/mapped_file.h"
#include "kernels/common/error.h"

namespace loupe {
namespace {

constexpr const char* kTypes = "f2, f4, f8, i4 and i8 of either byte order, and u1";

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;
};

// The header is the text of a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 224, 224), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Header parse() {
    Header header;
    expect('{');
    while (!take('}')) {
      const std::string key = quoted_text();
      expect(':');
      if (key == "descr" && !header.descr) {
        if (next() == '[') throw Error(file_ + " holds records; Loupe reads plain arrays of " + kTypes);
        header.descr = quoted_text();
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.shape) {
        header.shape = tuple();
      } else {
        fail();
      }
      if (!take(',') && next() != '}') fail();
    }
    if (next() != '\0' || !header.descr || !header.fortran_order || !header.shape) fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(file_ + ": its header is not that of an array file, at the header's byte " +
                std::to_string(at_));
  }
  // The next character that is not white space, '\0' at the end.
  char next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (next() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }
  std::string quoted_text() {
    const char quote = next();
    if (quote != '\'' && quote != '"') fail();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos || end - at_ > 40) fail();
    const std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }
  bool boolean() {
    next();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    fail();
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> result;
    expect('(');
    while (!take(')')) {
      next();
      int64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (error != std::errc()) fail();
      at_ = static_cast<size_t>(end - text_.data());
      result.push_back(value);
      if (!take(',') && next() != ')') fail();
    }
    return result;
  }

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
};

/// A type of number: as the file says it, and as the tensor has it.
struct Stored {
  Dtype dtype;
  size_t bytes;          // of one number in the file; 2 with f32: IEEE half precision; 8 with i32: int64
  bool swapped = false;  // big-endian
};

Stored stored_as(const std::string& descr, const std::string& file) {
  const bool big = descr.starts_with(">");
  if (descr.size() == 3 && (big || descr[0] == '<' || descr[0] == '=')) {
    const std::string_view kind = std::string_view(descr).substr(1);
    if (kind == "f2") return {Dtype::f32, 2, big};
    if (kind == "f4") return {Dtype::f32, 4, big};
    if (kind == "f8") return {Dtype::f64, 8, big};
    if (kind == "i4") return {Dtype::i32, 4, big};
    if (kind == "i8") return {Dtype::i32, 8, big};
  }
  if (descr == "|u1") return {Dtype::u8, 1};
  std::string shown = descr;
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  throw Error(file + " is of type '" + shown + "'; Loupe reads " + kTypes);
}

/// IEEE 754 half precision, exactly.
float from_half(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  float magnitude;
  if (exponent == 31)
    magnitude = fraction ? NAN : INFINITY;
  else
    magnitude = exponent ? std::ldexp(1024.0f + static_cast<float>(fraction), exponent - 25)
                         : std::ldexp(static_cast<float>(fraction), -24);
  return half & 0x8000 ? -magnitude : magnitude;
}

/// The numbers of the file in the machine's order and the tensor's type.
void copy_numbers(std::span<const std::byte> from, const Stored& stored, std::byte* to,
                  const std::string& file) {
  const auto wide = static_cast<size_t>(dtype_bytes(stored.dtype));
  if (!stored.swapped && stored.bytes == wide) {
    std::memcpy(to, from.data(), from.size());
    return;
  }
  for (size_t i = 0; i < from.size() / stored.bytes; ++i) {
    std::byte number[8];
    std::memcpy(number, from.data() + i * stored.bytes, stored.bytes);
    if (stored.swapped) std::reverse(number, number + stored.bytes);
    if (stored.bytes == wide) {
      std::memcpy(to + i * wide, number, wide);
      continue;
    }
    if (stored.dtype == Dtype::i32) {
      int64_t value;
      std::memcpy(&value, number, sizeof value);
      const auto narrow = static_cast<int32_t>(value);
      if (narrow != value)
        throw Error(file + " holds " + std::to_string(value) + ", which does not fit 32 bits");
      std::memcpy(to + i * wide, &narrow, sizeof narrow);
      continue;
    }
    uint16_t half;
    std::memcpy(&half, number, sizeof half);
    const float value = from_half(half);
    std::memcpy(to + i * wide, &value, sizeof value);
  }
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, const std::string& name) {
  const std::string file = "'" + name + "'";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with("\x93NUMPY") || text.size() < 10)
    throw Error(file + " is not a NumPy array file (.npy)");
  const int major = static_cast<unsigned char>(text[6]);
  if (major < 1 || major > 3)
    throw Error(file + " is of .npy version " + std::to_string(major) + "; Loupe reads 1, 2 and 3");
  const size_t length_bytes = major == 1 ? 2 : 4, start = 8 + length_bytes;
  uint32_t length = 0;
  if (text.size() >= start) std::memcpy(&length, text.data() + 8, length_bytes);
  if (text.size() < start || text.size() - start < length)
    throw Error(file + " is truncated: it ends within its header");
  const Header header = HeaderParser(text.substr(start, length), file).parse();
  const Stored stored = stored_as(*header.descr, file);
  if (*header.fortran_order) throw Error(file + " is in Fortran order; save it with numpy.ascontiguousarray");
  Shape shape;
  try {
    shape = Shape(*header.shape);
  } catch (const Error& error) {
    throw Error(file + ": " + error.what());
  }
  const auto data = bytes.subspan(start + length);
  const uint64_t wanted = static_cast<uint64_t>(shape.numel()) * stored.bytes;
  if (data.size() != wanted)
    throw Error(file + " has " + std::to_string(data.size()) + " bytes of data, but its shape " +
                shape.str() + " takes " + std::to_string(wanted));
  Tensor t(stored.dtype, shape);
  if (!data.empty()) copy_numbers(data, stored, t.raw(), file);
  return t;
}

std::string encode_npy(const Tensor& x) {
  const char* type = x.dtype() == Dtype::f32 ? "<f4" : x.dtype() == Dtype::f64 ? "<f8" : "<i4";
  std::string header = std::string("{'descr': '") + (x.dtype() == Dtype::u8 ? "|u1" : type) +
                       "', 'fortran_order': False, 'shape': (";
  for (int d = 0; d < x.shape().rank(); ++d) header += (d ? " " : "") + std::to_string(x.shape()[d]) + ",";
  header += "), }";
  constexpr size_t kStart = 10,
                   kUnit = 64;  // where the header begins, and what the data begin at multiples of
  header.append(kUnit - 1 - (kStart + header.size()) % kUnit, ' ').append(1, '\n');
  const auto length = static_cast<uint16_t>(header.size());
  std::string bytes("\x93NUMPY\x01\0", 8);
  bytes.append(reinterpret_cast<const char*>(&length), 2).append(header);
  if (x.numel() > 0) bytes.append(reinterpret_cast<const char*>(x.raw()), static_cast<size_t>(x.bytes()));
  return bytes;
}

Tensor read_npy(const std::string& path) { return parse_npy(MappedFile::open(path)->bytes(), path); }

}  // namespace loupe
