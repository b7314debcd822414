// Byte-level byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare words with subword units"; Radford
// et al. 2019, section 2.2): a text is cut into words, a word is its bytes, and then the pair of neighbours that was learned
// first is joined, again and again.
#pragma once
#include <unordered_map>

#include "engine/text/tokenizer.h"

namespace loupe {

/// How GPT-2 cuts a text: 's 't 're 've 'm 'll 'd, letters, numbers or other marks with a blank before them, and blanks.
/// `digits`: each number character by itself before that (SmolLM).
struct WordSplit {
  bool digits = false;
};
/// The words of valid UTF-8, one after the other, none empty: their ends.
std::vector<size_t> split_words(std::string_view text, const WordSplit& how);

class ByteBpe final : public Tokenizer {
 public:
  /// Pieces and merges are written in the 256 characters that GPT-2 writes bytes with ("Ġ" is a blank). Throws Error, one
  /// line, for a merge whose parts or result are no pieces. Bytes that are no pieces are left out of a text.
  ByteBpe(Vocabulary vocabulary, std::span<const std::pair<std::string, std::string>> merges,
          WordSplit split);

  std::string piece(int32_t id) const override;
  const WordSplit& split() const { return split_; }

 private:
  struct Merge {
    int32_t rank, id;
  };
  void encode_stretch(std::string_view stretch, int64_t at, std::vector<Token>& to) const override;
  void encode_word(std::string_view word, int64_t at, std::vector<Token>& to) const;
  std::string join(std::span<const int32_t> ids) const override;

  WordSplit split_;
  int32_t bytes_[256];                              // the piece of each byte, or -1
  std::unordered_map<uint64_t, Merge> merges_;      // by both parts' numbers
};

/// The character that GPT-2 writes a byte with, as UTF-8, and the bytes of a text so written; nothing where a character is
/// none of the 256.
std::string written_byte(uint8_t byte);
std::optional<std::string> bytes_of_written(std::string_view written);

}  // namespace loupe
