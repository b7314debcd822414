#include "engine/text/train_bpe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>

#include "engine/text/unicode.h"
#include "kernels/common/op.h"

namespace loupe {
namespace {

struct Word {
  std::vector<int32_t> parts;
  int64_t count;
};

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}

// Sorted, so that nothing depends on a hash.
std::vector<std::pair<std::string, int64_t>> counted_words(std::span<const std::string> texts,
                                                           const WordSplit& split) {
  std::unordered_map<std::string, int64_t> counts;
  for (const std::string& given : texts) {
    const std::string text = valid_text(given).text;
    size_t begin = 0;
    for (const size_t end : split_words(text, split)) {
      ++counts[text.substr(begin, end - begin)];
      begin = end;
    }
  }
  std::vector<std::pair<std::string, int64_t>> words(counts.begin(), counts.end());
  std::ranges::sort(words);
  return words;
}

// Special tokens, then the bytes in the order of the characters that they are written with.
Vocabulary first_pieces(const BpeTraining& training) {
  Vocabulary v;
  for (const std::string& special : training.special) {
    if (special.empty()) throw UsageError("a special token is empty");
    if (std::ranges::count(training.special, special) > 1)
      throw UsageError("the special token '" + special + "' is there twice");
    v.special.emplace_back(special, static_cast<int32_t>(v.pieces.size()));
    v.pieces.push_back(special);
  }
  std::vector<std::string> bytes;
  for (int b = 0; b < 256; ++b) bytes.push_back(written_byte(static_cast<uint8_t>(b)));
  std::ranges::sort(bytes, {}, [](const std::string& s) { return character_at(s, 0).code; });
  for (const std::string& b : bytes)
    if (std::ranges::find(training.special, b) == training.special.end()) v.pieces.push_back(b);
  if (training.size < std::ssize(v.pieces))
    throw UsageError("a vocabulary of " + std::to_string(training.size) +
                     ", where special tokens and bytes are " + std::to_string(v.pieces.size()));
  return v;
}

class Trainer {
 public:
  Trainer(std::span<const std::string> texts, const BpeTraining& training) : training_(training) {
    learned_.vocabulary = first_pieces(training);
    for (const std::string& piece : learned_.vocabulary.pieces)
      numbers_.emplace(piece, static_cast<int32_t>(numbers_.size()));
    for (const auto& [text, count] : counted_words(texts, training.split)) {
      Word word{.parts = {}, .count = count};
      for (const char c : text) word.parts.push_back(numbers_.at(written_byte(static_cast<uint8_t>(c))));
      words_.push_back(std::move(word));
    }
    for (int32_t w = 0; w < std::ssize(words_); ++w) {
      const std::vector<int32_t>& parts = words_[static_cast<size_t>(w)].parts;
      for (size_t i = 0; i + 1 < parts.size(); ++i) add(parts[i], parts[i + 1], w);
    }
    queue_fresh();
  }

  LearnedBpe run() {
    while (std::ssize(learned_.vocabulary.pieces) < training_.size && !queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const Pair& pair = pairs_.at(best.pair);
      if (pair.count != best.count) {  // it was queued with a count that has changed
        if (pair.count > 0) queue_.push({pair.count, best.pair});
        continue;
      }
      if (best.count < std::max<int64_t>(training_.fewest, 1)) break;
      join(best.pair);
    }
    return std::move(learned_);
  }

 private:
  struct Pair {
    int64_t count = 0;
    std::vector<int32_t> words = {};  // in which it was made, rising; it may be gone there
  };
  struct Candidate {
    int64_t count;
    uint64_t pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void add(int32_t left, int32_t right, int32_t word) {
    const uint64_t key = pair_of(left, right);
    Pair& pair = pairs_[key];
    pair.count += words_[static_cast<size_t>(word)].count;
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
    fresh_.push_back(key);
  }
  void take(int32_t left, int32_t right, int32_t word) {
    pairs_[pair_of(left, right)].count -= words_[static_cast<size_t>(word)].count;
  }
  void queue_fresh() {
    std::ranges::sort(fresh_);
    fresh_.erase(std::ranges::unique(fresh_).begin(), fresh_.end());
    for (const uint64_t key : fresh_)
      if (const int64_t count = pairs_.at(key).count; count > 0) queue_.push({count, key});
    fresh_.clear();
  }

  void join(uint64_t key) {
    const auto left = static_cast<int32_t>(key >> 32), right = static_cast<int32_t>(key & 0xffffffff);
    std::vector<std::string>& pieces = learned_.vocabulary.pieces;
    learned_.merges.emplace_back(pieces[static_cast<size_t>(left)], pieces[static_cast<size_t>(right)]);
    const std::string both = learned_.merges.back().first + learned_.merges.back().second;
    // "ab" + "c" makes what "a" + "bc" made before.
    const auto [entry, made] = numbers_.try_emplace(both, static_cast<int32_t>(pieces.size()));
    if (made) pieces.push_back(both);
    std::vector<int32_t> in = std::move(pairs_.at(key).words);
    std::ranges::sort(in);
    in.erase(std::ranges::unique(in).begin(), in.end());
    for (const int32_t w : in) join_in(w, left, right, entry->second);
    pairs_.at(key) = {};
    queue_fresh();
  }

  void join_in(int32_t w, int32_t left, int32_t right, int32_t both) {
    std::vector<int32_t>& parts = words_[static_cast<size_t>(w)].parts;
    size_t kept = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i + 1 == parts.size() || parts[i] != left || parts[i + 1] != right) {
        parts[kept++] = parts[i];
        continue;
      }
      if (kept > 0) {
        take(parts[kept - 1], left, w);
        add(parts[kept - 1], both, w);
      }
      if (i + 2 < parts.size()) {
        take(right, parts[i + 2], w);
        add(both, parts[i + 2], w);
      }
      parts[kept++] = both;
      ++i;
    }
    parts.resize(kept);
  }

  const BpeTraining& training_;
  LearnedBpe learned_;
  std::unordered_map<std::string, int32_t> numbers_;
  std::vector<Word> words_;
  std::unordered_map<uint64_t, Pair> pairs_;
  std::vector<uint64_t> fresh_;  // pairs that were counted up since the queue was last filled
  std::priority_queue<Candidate> queue_;
};

}  // namespace

LearnedBpe train_bpe(std::span<const std::string> texts, const BpeTraining& training) {
  return Trainer(texts, training).run();
}

std::string tokenizer_json(const LearnedBpe& learned, const WordSplit& split) {
  using nlohmann::json;
  const json level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const json digits = {{"type", "Digits"}, {"individual_digits", true}};
  json added = json::array(), table = json::object(), merges = json::array();
  for (const auto& [content, id] : learned.vocabulary.special)
    added.push_back({{"id", id},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  for (size_t id = 0; id < learned.vocabulary.pieces.size(); ++id) table[learned.vocabulary.pieces[id]] = id;
  for (const auto& [left, right] : learned.merges) merges.push_back({left, right});
  const json pre = split.digits ? json{{"type", "Sequence"}, {"pretokenizers", {digits, level}}} : level;
  const json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", false},
                      {"vocab", table},
                      {"merges", merges}};
  return json{{"version", "1.0"},          {"truncation", nullptr}, {"padding", nullptr},
              {"added_tokens", added},     {"normalizer", nullptr}, {"pre_tokenizer", pre},
              {"post_processor", nullptr}, {"decoder", level},      {"model", model}}
      .dump();
}

}  // namespace loupe
