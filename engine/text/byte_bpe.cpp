#include "engine/text/byte_bpe.h"

#include <algorithm>
#include <array>
#include <queue>

#include "engine/text/unicode.h"
#include "kernels/common/op.h"

namespace loupe {
namespace {

// GPT-2's bytes_to_unicode: bytes that can be printed stand for themselves, the others for U+0100 and up.
constexpr std::array<char32_t, 256> written_characters() {
  std::array<char32_t, 256> all{};
  char32_t next = 0x100;
  for (char32_t b = 0; b < 256; ++b) {
    const bool prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
    all[b] = prints ? b : next++;
  }
  return all;
}
constexpr auto kWritten = written_characters();

// Number of the byte that is written so, or −1.
int byte_of(char32_t c) {
  const auto found = std::ranges::find(kWritten, c);
  return found == kWritten.end() ? -1 : static_cast<int>(found - kWritten.begin());
}

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

enum class Kind : uint8_t { letter, number, space, other };
Kind kind_of(char32_t c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::letter;
    if (c >= '0' && c <= '9') return Kind::number;
    return is_space(c) ? Kind::space : Kind::other;
  }
  return is_letter(c) ? Kind::letter : is_number(c) ? Kind::number : is_space(c) ? Kind::space : Kind::other;
}

// 's, 't, 're, 've, 'm, 'll, 'd at the beginning: their length, or 0.
size_t contraction(std::string_view text) {
  for (const std::string_view c : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (text.starts_with(c)) return c.size();
  return 0;
}

// The first word of a text, in bytes, as GPT-2's pattern finds it:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t first_word(std::string_view text) {
  if (const size_t length = contraction(text)) return length;
  const auto at = [&](size_t i) { return character_at(text, i); };
  const auto run_end = [&](size_t i, Kind kind) {
    while (i < text.size()) {
      const Character c = at(i);
      if (kind_of(c.code) != kind) break;
      i += static_cast<size_t>(c.length);
    }
    return i;
  };
  const size_t begin = text[0] == ' ' && text.size() > 1 ? 1 : 0;
  if (const Kind kind = kind_of(at(begin).code); kind != Kind::space) return run_end(begin, kind);
  // Blanks: all but the last one, which may belong to what follows; all of them where nothing follows or there is just one.
  const size_t end = run_end(0, Kind::space);
  if (end == text.size()) return end;
  size_t last = 0;
  for (size_t i = 0; i < end; i += static_cast<size_t>(at(i).length)) last = i;
  return last > 0 ? last : end;
}

}  // namespace

std::string written_byte(uint8_t byte) {
  std::string s;
  append_utf8(s, kWritten[byte]);
  return s;
}

std::optional<std::string> bytes_of_written(std::string_view written) {
  std::string bytes;
  for (size_t i = 0; i < written.size();) {
    const Character c = character_at(written, i);
    const int byte = c.valid ? byte_of(c.code) : -1;
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    i += static_cast<size_t>(c.length);
  }
  return bytes;
}

std::vector<size_t> split_words(std::string_view text, const WordSplit& how) {
  std::vector<size_t> ends;
  const auto split = [&](size_t begin, size_t end) {
    while (begin < end) ends.push_back(begin += first_word(text.substr(begin, end - begin)));
  };
  size_t begin = 0;
  for (size_t i = 0; how.digits && i < text.size();) {
    const Character c = character_at(text, i);
    const size_t next = i + static_cast<size_t>(c.length);
    if (kind_of(c.code) == Kind::number) {
      split(begin, i);
      split(i, next);
      begin = next;
    }
    i = next;
  }
  split(begin, text.size());
  return ends;
}

ByteBpe::ByteBpe(Vocabulary vocabulary, std::span<const std::pair<std::string, std::string>> merges,
                 WordSplit split)
    : Tokenizer(std::move(vocabulary)), split_(split) {
  for (int b = 0; b < 256; ++b) {
    bytes_[b] = find(written_byte(static_cast<uint8_t>(b))).value_or(-1);
  }
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto a = find(left), b = find(right), both = find(left + right);
    if (!a || !b || !both)
      throw Error("the merge '" + left + " " + right + "' joins what is not in the vocabulary");
    merges_.try_emplace(key_of(*a, *b), Merge{static_cast<int32_t>(rank), *both});
  }
}

void ByteBpe::encode_stretch(std::string_view stretch, int64_t at, std::vector<Token>& to) const {
  size_t begin = 0;
  for (const size_t end : split_words(stretch, split_)) {
    encode_word(stretch.substr(begin, end - begin), at + static_cast<int64_t>(begin), to);
    begin = end;
  }
}

void ByteBpe::encode_word(std::string_view word, int64_t at, std::vector<Token>& to) const {
  struct Part {
    int32_t id;
    int before, after;  // neighbours, −1 at the ends
    size_t begin, end;
  };
  struct Join {
    int32_t rank;
    int left;
    int32_t left_id, right_id, id;  // as they were when it was found
  };
  const auto later = [](const Join& a, const Join& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  std::vector<Part> parts;
  parts.reserve(word.size());
  for (size_t i = 0; i < word.size(); ++i) {
    const int32_t id = bytes_[static_cast<uint8_t>(word[i])];
    if (id < 0) continue;  // the vocabulary does not know the byte
    const int place = static_cast<int>(parts.size());
    parts.push_back({id, place - 1, place + 1, i, i + 1});
  }
  if (parts.empty()) return;
  parts.back().after = -1;
  const int count = static_cast<int>(parts.size());
  std::priority_queue<Join, std::vector<Join>, decltype(later)> joins(later);
  const auto look = [&](int left) {
    if (left < 0 || parts[static_cast<size_t>(left)].after < 0) return;
    const Part& a = parts[static_cast<size_t>(left)];
    const Part& b = parts[static_cast<size_t>(a.after)];
    if (const auto found = merges_.find(key_of(a.id, b.id)); found != merges_.end())
      joins.push({found->second.rank, left, a.id, b.id, found->second.id});
  };
  for (int i = 0; i + 1 < count; ++i) look(i);
  while (!joins.empty()) {
    const Join j = joins.top();
    joins.pop();
    Part& a = parts[static_cast<size_t>(j.left)];
    if (a.id != j.left_id || a.after < 0 || parts[static_cast<size_t>(a.after)].id != j.right_id)
      continue;  // outdated
    Part& b = parts[static_cast<size_t>(a.after)];
    a.id = j.id;
    a.end = b.end;
    b.id = -1;
    a.after = b.after;
    if (a.after >= 0) parts[static_cast<size_t>(a.after)].before = j.left;
    look(a.before);
    look(j.left);
  }
  for (int i = 0; i >= 0 && i < count; i = parts[static_cast<size_t>(i)].after) {
    const Part& p = parts[static_cast<size_t>(i)];
    to.push_back({p.id, at + static_cast<int64_t>(p.begin), at + static_cast<int64_t>(p.end)});
  }
}

std::string ByteBpe::piece(int32_t id) const {
  const std::string& written = vocabulary().pieces.at(static_cast<size_t>(id));
  return is_special(id) ? written : bytes_of_written(written).value_or(written);
}

std::string ByteBpe::join(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) text += piece(id);
  return valid_text(text).text;
}

}  // namespace loupe
