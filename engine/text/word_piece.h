// WordPiece (Devlin et al. 2019, "BERT"; Schuster & Nakajima 2012): words of a normalised text, each the longest pieces from
// its beginning on; a piece that continues a word begins with "##".
#pragma once
#include "engine/text/tokenizer.h"

namespace loupe {

struct WordPieceChoice {
  std::string unknown = "[UNK]";
  bool clean = true;          // control characters go, every blank is a space
  bool chinese = true;        // each Chinese character is a word
  bool strip_accents = true;  // decomposed, and without nonspacing marks
  bool lower_case = true;
  int64_t longest = 100;  // characters of a word; longer ones are unknown
};

class WordPiece final : public Tokenizer {
 public:
  /// Throws Error where the unknown token is not in the vocabulary.
  WordPiece(Vocabulary vocabulary, WordPieceChoice choice);
  std::string piece(int32_t id) const override;

 private:
  struct Normal {  // a character, and the bytes that it was made of
    char32_t code;
    int64_t begin, end;
  };
  std::vector<Normal> normalised(std::string_view text, int64_t at) const;
  void encode_stretch(std::string_view stretch, int64_t at, std::vector<Token>& to) const override;
  void encode_word(std::span<const Normal> word, std::vector<Token>& to) const;
  std::string join(std::span<const int32_t> ids) const override;

  WordPieceChoice choice_;
  int32_t unknown_;
};

}  // namespace loupe
