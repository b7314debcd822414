#include "models/io/pickle_text.h"

#include <charconv>
#include <cstdint>
#include <optional>

namespace loupe::pickle {

namespace {
void add_utf8(std::string& to, uint32_t c) {
  const auto add = [&](uint32_t byte) { to += static_cast<char>(byte); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xC0 | c >> 6);
    add(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    add(0xE0 | c >> 12);
    add(0x80 | (c >> 6 & 0x3F));
    add(0x80 | (c & 0x3F));
  } else {
    add(0xF0 | (c >> 18 & 7));
    add(0x80 | (c >> 12 & 0x3F));
    add(0x80 | (c >> 6 & 0x3F));
    add(0x80 | (c & 0x3F));
  }
}

std::optional<uint32_t> hexadecimal(std::string_view digits, size_t count) {
  if (digits.size() < count) return std::nullopt;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + count, value, 16);
  if (error != std::errc() || end != digits.data() + count) return std::nullopt;
  return value;
}
}  // namespace

std::string from_raw_unicode_escape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'u' || text[i + 1] == 'U');
    const size_t count = escape ? (text[i + 1] == 'u' ? 4 : 8) : 0;
    const std::optional<uint32_t> c = escape ? hexadecimal(text.substr(i + 2), count) : std::nullopt;
    add_utf8(result, c.value_or(static_cast<unsigned char>(text[i])));
    if (c) i += 1 + count;
  }
  return result;
}

std::string from_quoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == text.back() && (text.front() == '\'' || text.front() == '"'))
    text = text.substr(1, text.size() - 2);
  constexpr std::string_view kLetters = "abfnrtv\\'\"", kMeant = "\a\b\f\n\r\t\v\\'\"";
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    const size_t letter = kLetters.find(text[i + 1]);
    const std::optional<uint32_t> byte =
        text[i + 1] == 'x' ? hexadecimal(text.substr(i + 2), 2) : std::nullopt;
    if (letter != kLetters.npos || byte) {
      result += byte ? static_cast<char>(*byte) : kMeant[letter];
      i += byte ? 3 : 1;
    } else {
      result += '\\';
    }
  }
  return result;
}

}  // namespace loupe::pickle
