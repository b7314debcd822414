// What every head of a text model looks at, in numbers that no pattern has to be stored for
// (kernels/attention_statistics).
#pragma once
#include <array>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/attention_statistics/attention_statistics.h"
#include "models/text/text_model.h"

namespace loupe {

/// For each token where it stood before, −1 for nowhere: in a sequence that repeats itself, of the smallest period p that
/// is at most half of it, token i − p; in others the last place before i with the same token.
std::vector<int32_t> earlier_positions(std::span<const int32_t> ids);

struct StatisticsChoice {
  std::vector<Ids> types = {};  // of the tokens, for a BERT: as TextModel::inputs()
  std::vector<Ids> sets =
      {};  // of each sequence's tokens the number of a set, at most kMostSets; empty: no sets
  int64_t set_count = 0;
  bool losses = true;  // of each next token; a BERT has none
};

struct HeadStatistics {
  using Scores = std::vector<std::vector<double>>;  // by layer and head
  /// Means over queries, and then over sequences: of `previous` and `first` over all queries but the first, of `duplicate`
  /// and `induction` over those whose token stood somewhere before, of others over all. log_sum is not among them.
  std::array<Scores, kStatistics> means;
  std::vector<Scores> sets;  // mass of each set
  /// By layer and head the mean attention at each offset o = i − j, at o + L − 1 of the longest sequence's L; the mean over
  /// the sequences that are so long.
  std::vector<std::vector<std::vector<double>>> profile;
  std::vector<std::vector<double>> losses;  // of each sequence, of its tokens from the second on; nats

  const Scores& of(Statistic s) const { return means[static_cast<size_t>(s)]; }
};

/// Of these sequences, batches of those that are equally long. The numbers do not depend on the batch. Throws UsageError
/// as TextModel::inputs() does.
HeadStatistics head_statistics(TextModel& model, std::span<const Ids> sequences,
                               const StatisticsChoice& choice = {},
                               const std::function<void(double part)>& watch = {});

/// −log p of each next token from the stream behind the last norm, (L, width): next_token_losses() of the logits that the
/// model makes of it, a stretch of tokens at a time. f32, on the host.
std::vector<double> losses_of_stream(const TextModel& model, const Tensor& stream,
                                     std::span<const int32_t> ids);

}  // namespace loupe
