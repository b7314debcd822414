#include "tools/loupe/file_name.h"

#include <cstdint>
#include <cstdio>

namespace loupe {

namespace {
constexpr size_t kLongest = 120;

void append_code(std::string& to, char c) {
  char code[4];
  std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
  to += code;
}
}  // namespace

std::string file_name(std::string_view text) {
  constexpr std::string_view kSpecial = "/\\:*?\"<>|,%";
  std::string name;
  uint64_t digest = 0xcbf29ce484222325u;  // FNV-1a
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    digest = (digest ^ byte) * 0x100000001b3u;
    if (byte < 0x20 || byte == 0x7f || kSpecial.find(c) != kSpecial.npos || (c == '.' && i == 0))
      append_code(name, c);
    else
      name += c;
  }
  if (name.empty()) return "%";
  if (name.size() <= kLongest) return name;
  char end[24];
  std::snprintf(end, sizeof end, "~%016llx", static_cast<unsigned long long>(digest));
  name.resize(kLongest);
  while ((static_cast<unsigned char>(name.back()) & 0xc0) == 0x80)
    name.pop_back();  // not within a code point
  if (static_cast<unsigned char>(name.back()) >= 0xc0) name.pop_back();
  return name + end;
}

std::string address(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '/';
    if (plain)
      out += c;
    else
      append_code(out, c);
  }
  return out;
}

}  // namespace loupe
