// What the models of `loupe train induction` learn from: sequences of random tokens that repeat themselves, and text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/training/batches.h"
#include "models/text/text_model.h"

namespace loupe {

class InductionData {
 public:
  /// Tokens are the text's bytes, so the vocabulary has 256. The last tenth of the text is held out.
  /// Throws UsageError for a text that is shorter than twenty sequences.
  InductionData(const std::string& text, int64_t length, int64_t batch, uint64_t seed);

  static constexpr int64_t kVocabulary = 256;
  static constexpr double kRepeats = 0.75;  // share of the sequences that are random repeats
  static constexpr int64_t kShortest = 8;   // random stretch; the longest is half a sequence

  /// The batch of a step: input (batch, length) i32, and the token behind each. A function of seed and step.
  Batch batch(int64_t step) const;

  /// Sequences of `length` tokens of the same mixture, which no training sees, the same for every seed.
  std::vector<Ids> held_out(int64_t count) const;
  /// Random stretches of length/2 tokens, twice each: no training sees them, and they are the same for every seed.
  static std::vector<Ids> repeats(int64_t count, int64_t length);

 private:
  Ids sequence(uint64_t key, bool repeats, size_t first, size_t end) const;

  Ids text_;
  size_t learned_;  // tokens of the text
  int64_t length_, batch_;
  uint64_t seed_;
};

}  // namespace loupe
