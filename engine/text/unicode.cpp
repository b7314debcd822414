#include "engine/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace loupe {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// What may follow a first byte: the number of bytes after it, and the range of the second one.
struct Lead {
  int more;
  uint8_t low, high;
};
Lead lead_of(uint8_t b) {
  if (b >= 0xC2 && b <= 0xDF) return {1, 0x80, 0xBF};
  if (b == 0xE0) return {2, 0xA0, 0xBF};
  if (b == 0xED) return {2, 0x80, 0x9F};
  if (b >= 0xE1 && b <= 0xEF) return {2, 0x80, 0xBF};
  if (b == 0xF0) return {3, 0x90, 0xBF};
  if (b >= 0xF1 && b <= 0xF3) return {3, 0x80, 0xBF};
  if (b == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(at);
  if (first < 0x80) return {first, 1, true};
  const Lead lead = lead_of(first);
  if (lead.more == 0) return {0xFFFD, 1, false};
  char32_t code = first & (0x3F >> lead.more);
  for (int i = 1; i <= lead.more; ++i) {
    const size_t here = at + static_cast<size_t>(i);
    const uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
    if (here >= text.size() || byte(here) < low || byte(here) > high) return {0xFFFD, i, false};
    code = code << 6 | (byte(here) & 0x3F);
  }
  return {code, 1 + lead.more, true};
}

void append_utf8(std::string& to, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  to.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

ValidText valid_text(std::string_view text) {
  ValidText v;
  bool broken = false;
  for (size_t at = 0; at < text.size() && !broken;) {
    const Character c = character_at(text, at);
    broken = !c.valid;
    at += static_cast<size_t>(c.length);
  }
  if (!broken) return {std::string(text)};
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const size_t before = v.text.size();
    if (c.valid)
      v.text += text.substr(at, static_cast<size_t>(c.length));
    else
      append_utf8(v.text, c.code);
    // The bytes of a U+FFFD all stand for where the broken piece begins.
    for (size_t i = before; i < v.text.size(); ++i)
      v.places.push_back(static_cast<int32_t>(c.valid ? at + (i - before) : at));
    at += static_cast<size_t>(c.length);
  }
  v.places.push_back(static_cast<int32_t>(text.size()));
  return v;
}

bool is_letter(char32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_number(char32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}
bool is_space(char32_t c) {
  static constexpr std::array<char32_t, 25> kSpaces{
      9,      10,     11,     12,     13,     32,     0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
      0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return std::ranges::binary_search(kSpaces, c);
}
bool is_punctuation(char32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}
bool is_other(char32_t c) {
  const auto k = category(c);
  return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
}
bool is_mark(char32_t c) { return category(c) == UTF8PROC_CATEGORY_MN; }
char32_t lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

std::u32string decomposed(char32_t c) {
  utf8proc_int32_t out[32];
  int boundary = 0;
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), out, 32, UTF8PROC_DECOMPOSE, &boundary);
  if (count <= 0 || count > 32) return {c};
  return {out, out + count};
}

}  // namespace loupe
