#include "models/text/induction_data.h"

#include <algorithm>

#include "kernels/common/error.h"
#include "kernels/common/random.h"

namespace loupe {

namespace {

constexpr uint64_t kHeldOut = 0x68656c64, kTraining = 0x7472616e;

// The one place that knows what a token is.
Ids tokens_of(const std::string& text) {
  Ids ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

int64_t below(uint64_t key, uint64_t i, int64_t count) {
  return static_cast<int64_t>(uniform(key, i) * static_cast<double>(count));
}

// `count` tokens: a random stretch of `period`, over and over.
Ids repeated(uint64_t key, int64_t period, int64_t count) {
  Ids ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(
        static_cast<int32_t>(below(key, static_cast<uint64_t>(i % period) + 1, InductionData::kVocabulary)));
  return ids;
}

}  // namespace

InductionData::InductionData(const std::string& text, int64_t length, int64_t batch, uint64_t seed)
    : text_(tokens_of(text)), learned_(text_.size() / 10 * 9), length_(length), batch_(batch), seed_(seed) {
  if (std::ssize(text_) < 20 * (length + 1))
    throw UsageError("--text holds " + std::to_string(text_.size()) +
                     " tokens: a text to learn from has at least " + std::to_string(20 * (length + 1)));
}

// length + 1 tokens.
Ids InductionData::sequence(uint64_t key, bool repeats, size_t first, size_t end) const {
  if (repeats)
    return repeated(key, kShortest + below(key, 0, std::max<int64_t>(length_ / 2 - kShortest, 0) + 1),
                    length_ + 1);
  const auto count = static_cast<int64_t>(end - first) - length_;
  const auto at = text_.begin() + static_cast<int64_t>(first) + below(key, 0, count);
  return {at, at + length_ + 1};
}

Batch InductionData::batch(int64_t step) const {
  const uint64_t of_step = scrambled(scrambled(kTraining, seed_), static_cast<uint64_t>(step));
  const auto repeats = static_cast<int64_t>(kRepeats * static_cast<double>(batch_));
  Batch b{Tensor(Dtype::i32, {batch_, length_}), {}};
  for (int64_t n = 0; n < batch_; ++n) {
    const Ids ids = sequence(scrambled(of_step, static_cast<uint64_t>(n)), n < repeats, 0, learned_);
    std::copy_n(ids.begin(), length_, b.input.row(n).values<int32_t>().begin());
    b.classes.insert(b.classes.end(), ids.begin() + 1, ids.end());
  }
  return b;
}

std::vector<Ids> InductionData::held_out(int64_t count) const {
  std::vector<Ids> all;
  for (int64_t n = 0; n < count; ++n) {
    all.push_back(sequence(scrambled(kHeldOut, static_cast<uint64_t>(n)),
                           static_cast<double>(n) < kRepeats * static_cast<double>(count), learned_,
                           text_.size()));
    all.back().pop_back();
  }
  return all;
}

std::vector<Ids> InductionData::repeats(int64_t count, int64_t length) {
  std::vector<Ids> all;
  for (int64_t n = 0; n < count; ++n)
    all.push_back(repeated(scrambled(kHeldOut + 1, static_cast<uint64_t>(n)), length / 2, length / 2 * 2));
  return all;
}

}  // namespace loupe
