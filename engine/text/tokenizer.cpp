#include "engine/text/tokenizer.h"

#include <algorithm>

#include "engine/text/unicode.h"
#include "kernels/common/op.h"

namespace loupe {

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  for (int64_t id = 0; id < size(); ++id)
    numbers_.try_emplace(vocabulary_.pieces[static_cast<size_t>(id)], static_cast<int32_t>(id));
}

bool Tokenizer::is_special(int32_t id) const {
  return std::ranges::count(vocabulary_.special, id, &std::pair<std::string, int32_t>::second) > 0;
}

std::optional<int32_t> Tokenizer::find(std::string_view piece) const {
  const auto found = numbers_.find(piece);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

namespace {

// Where the first special token of a text begins, from `at` on, and which it is: the longest of those that begin there.
struct Special {
  size_t at = std::string_view::npos, length = 0;
  int32_t id = -1;
};
Special first_special(const Vocabulary& v, std::string_view text, size_t at) {
  Special first;
  for (const auto& [piece, id] : v.special)
    if (const size_t found = text.find(piece, at);
        found < first.at || (found != text.npos && found == first.at && piece.size() > first.length))
      first = {found, piece.size(), id};
  return first;
}

}  // namespace

std::vector<Token> Tokenizer::encode(std::string_view given) const {
  const ValidText valid = valid_text(given);
  const std::string_view text = valid.text;
  std::vector<Token> tokens;
  for (size_t at = 0; at < text.size();) {
    const Special special = first_special(vocabulary_, text, at);
    const size_t end = std::min(special.at, text.size());
    if (end > at) encode_stretch(text.substr(at, end - at), static_cast<int64_t>(at), tokens);
    at = end;
    if (special.id < 0) continue;
    at += special.length;
    tokens.push_back({special.id, static_cast<int64_t>(end), static_cast<int64_t>(at)});
  }
  if (!valid.places.empty())
    for (Token& t : tokens) {
      // A token that ends within a U+FFFD ends where the broken piece does.
      int64_t end = t.end;
      while (end < std::ssize(text) && valid.place(end) == valid.place(end - 1)) ++end;
      t.begin = valid.place(t.begin);
      t.end = valid.place(end);
    }
  return tokens;
}

Framed Tokenizer::frame(std::string_view text, const std::optional<std::string_view>& second) const {
  if (second && pair.empty()) throw UsageError("the model takes one text, and not two");
  Framed framed;
  for (const FramePart& part : second ? pair : single) {
    if (part.text < 0) {
      framed.tokens.push_back({part.id, 0, 0});
    } else {
      const std::vector<Token> tokens = encode(part.text == 0 ? text : *second);
      framed.tokens.insert(framed.tokens.end(), tokens.begin(), tokens.end());
    }
    framed.types.resize(framed.tokens.size(), part.type);
  }
  return framed;
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::vector<int32_t> kept;
  for (const int32_t id : ids) {
    if (id < 0 || id >= size())
      throw UsageError("token " + std::to_string(id) + " is not one of the " + std::to_string(size()) +
                       " of the vocabulary");
    if (!is_special(id)) kept.push_back(id);
  }
  return join(kept);
}

}  // namespace loupe
