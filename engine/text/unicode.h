// Characters: UTF-8 that may be broken, and what kind a character is (utf8proc's tables).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loupe {

/// One character of a text.
struct Character {
  char32_t code;   // U+FFFD where the bytes are no UTF-8
  int64_t length;  // bytes
  bool valid;
};
/// The character that begins at text[at]. Bytes that are no UTF-8 are taken as Unicode recommends and Python does: as many
/// as could have begun a character, at least one (Unicode 15, section 3.9, "U+FFFD substitution of maximal subparts").
Character character_at(std::string_view text, size_t at);

/// UTF-8 whatever comes in: each piece of it that is none is U+FFFD.
struct ValidText {
  std::string text;
  std::vector<int32_t> places =
      {};  // of each byte, and of the end, where it lies in what came in; empty: in its own place
  int64_t place(int64_t byte) const { return places.empty() ? byte : places[static_cast<size_t>(byte)]; }
};
ValidText valid_text(std::string_view text);

void append_utf8(std::string& to, char32_t c);

// By general category, and by White_Space.
bool is_letter(char32_t c);       // L
bool is_number(char32_t c);       // N
bool is_space(char32_t c);        // White_Space
bool is_punctuation(char32_t c);  // P
bool is_other(char32_t c);        // Cc, Cf, Co
bool is_mark(char32_t c);         // Mn
char32_t lower(char32_t c);
/// Canonical decomposition (NFD) of one character.
std::u32string decomposed(char32_t c);

}  // namespace loupe
