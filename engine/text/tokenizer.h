// Tokenizer: text as numbers of pieces, and back. How pieces are found is the business of byte_bpe.h and word_piece.h.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loupe {

struct Token {
  int32_t id;
  int64_t begin, end;  // bytes of the text that it was made of
};

/// What stands around a text, or two, for a model: "[CLS] A [SEP] B [SEP]".
struct Framed {
  std::vector<Token> tokens = {};   // those of the frame have begin = end
  std::vector<int32_t> types = {};  // a BERT's, of each token
};

/// A vocabulary, and tokens of it that are found in a text as they stand ("<|endoftext|>"), whatever is around them.
struct Vocabulary {
  std::vector<std::string> pieces = {};  // by number
  std::vector<std::pair<std::string, int32_t>> special = {};
};

/// A place of a frame: a token, or where a text goes.
struct FramePart {
  int32_t id = -1;  // of a token
  int text = -1;    // else 0: the first text, 1: the second
  int32_t type = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The tokens of a text, without a frame. Bytes that are no UTF-8 count as U+FFFD (unicode.h), and are where they were.
  std::vector<Token> encode(std::string_view text) const;
  /// With what the model wants around one text or two. Throws UsageError where it knows no frame of two.
  Framed frame(std::string_view text, const std::optional<std::string_view>& second = {}) const;
  /// The text of tokens, those that are special left out. Throws UsageError for a number that is none of them.
  std::string decode(std::span<const int32_t> ids) const;
  /// A token as text, for people: "▁" and "Ġ" are spaces. May be part of a character, and then no UTF-8.
  virtual std::string piece(int32_t id) const = 0;

  int64_t size() const { return std::ssize(vocabulary_.pieces); }
  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool is_special(int32_t id) const;
  /// The number of a piece as the vocabulary has it.
  std::optional<int32_t> find(std::string_view piece) const;

  std::vector<FramePart> single = {{.text = 0}},
                         pair = {};  // frames; without `pair` there is no frame of two

 protected:
  explicit Tokenizer(Vocabulary vocabulary);
  /// Of a stretch without special tokens, which begins at byte `at` of valid UTF-8.
  virtual void encode_stretch(std::string_view stretch, int64_t at, std::vector<Token>& to) const = 0;
  virtual std::string join(std::span<const int32_t> ids) const = 0;

 private:
  Vocabulary vocabulary_;
  std::map<std::string, int32_t, std::less<>> numbers_;
};

}  // namespace loupe
