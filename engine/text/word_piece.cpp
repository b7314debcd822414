#include "engine/text/word_piece.h"

#include "engine/text/unicode.h"
#include "kernels/common/op.h"

namespace loupe {
namespace {

// As BERT has it: the CJK blocks, without kana and hangul.
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}
bool is_bert_space(char32_t c) { return c == '\t' || c == '\n' || c == '\r' || is_space(c); }
bool is_bert_punctuation(char32_t c) {
  const bool ascii =
      (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  return ascii || is_punctuation(c);
}

}  // namespace

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceChoice choice)
    : Tokenizer(std::move(vocabulary)), choice_(std::move(choice)) {
  const auto unknown = find(choice_.unknown);
  if (!unknown) throw Error("the vocabulary has no piece '" + choice_.unknown + "' for what is unknown");
  unknown_ = *unknown;
}

std::vector<WordPiece::Normal> WordPiece::normalised(std::string_view text, int64_t at) const {
  std::vector<Normal> all;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    const int64_t begin = at + static_cast<int64_t>(i), end = begin + c.length;
    i += static_cast<size_t>(c.length);
    char32_t code = c.code;
    if (choice_.clean) {
      if (code == 0 || code == 0xFFFD || (code != '\t' && code != '\n' && code != '\r' && is_other(code)))
        continue;
      if (is_bert_space(code)) code = ' ';
    }
    const bool alone = choice_.chinese && is_chinese(code);
    if (alone) all.push_back({' ', begin, begin});
    for (const char32_t part : choice_.strip_accents ? decomposed(code) : std::u32string{code}) {
      if (choice_.strip_accents && is_mark(part)) continue;
      if (choice_.lower_case && part == 0x130) {  // İ becomes two characters
        all.push_back({'i', begin, end});
        all.push_back({0x307, begin, end});
        continue;
      }
      all.push_back({choice_.lower_case ? lower(part) : part, begin, end});
    }
    if (alone) all.push_back({' ', end, end});
  }
  return all;
}

void WordPiece::encode_stretch(std::string_view stretch, int64_t at, std::vector<Token>& to) const {
  const std::vector<Normal> text = normalised(stretch, at);
  size_t begin = 0;
  const auto word = [&](size_t end) {
    if (end > begin) encode_word(std::span(text).subspan(begin, end - begin), to);
    begin = end;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_bert_space(text[i].code)) {
      word(i);
      begin = i + 1;
    } else if (is_bert_punctuation(text[i].code)) {
      word(i);
      word(i + 1);
    }
  }
  word(text.size());
}

void WordPiece::encode_word(std::span<const Normal> word, std::vector<Token>& to) const {
  const Token whole{unknown_, word.front().begin, word.back().end};
  if (std::ssize(word) > choice_.longest) return to.push_back(whole);
  std::string text;
  std::vector<size_t> ends{0};  // of each character
  for (const Normal& c : word) append_utf8(text, c.code), ends.push_back(text.size());
  std::vector<Token> pieces;
  for (size_t begin = 0; begin < word.size();) {
    size_t end = word.size();
    std::optional<int32_t> id;
    for (; end > begin && !id; --end)
      id = find((begin > 0 ? "##" : "") + text.substr(ends[begin], ends[end] - ends[begin]));
    if (!id) return to.push_back(whole);
    ++end;  // the loop went one past it
    pieces.push_back({*id, word[begin].begin, word[end - 1].end});
    begin = end;
  }
  to.insert(to.end(), pieces.begin(), pieces.end());
}

std::string WordPiece::piece(int32_t id) const { return vocabulary().pieces.at(static_cast<size_t>(id)); }

// With the blanks taken out that English has none of, as Hugging Face does.
std::string WordPiece::join(std::span<const int32_t> ids) const {
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    std::string part = piece(ids[i]);
    if (i > 0) part = part.starts_with("##") ? part.substr(2) : " " + part;
    static constexpr std::pair<const char*, const char*> kTidied[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : kTidied)
      for (size_t at = part.find(from); at != part.npos; at = part.find(from, at))
        part.replace(at, std::string(from).size(), to);
    text += part;
  }
  return text;
}

}  // namespace loupe
