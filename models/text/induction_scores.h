// What tells induction heads (Olsson et al. 2022, "In-context Learning and Induction Heads"): scores of a model and of
// each of its heads.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/text/induction_data.h"
#include "models/text/text_model.h"

namespace loupe {

struct HeadScores {
  int64_t layer = 0, head = 0;
  /// Mean attention from a token of the second half of held-out repeats to the token behind its first occurrence.
  double prefix_matching = 0;
  /// Mean attention to the token before.
  double previous_token = 0;
  /// Σλ/Σ|λ| over the eigenvalues of the head's OV circuit through the vocabulary, W_U·W_O·W_V·W_E with the norms' weights
  /// (Elhage et al. 2021, "A mathematical framework for transformer circuits"): 1 where a token that is attended to
  /// raises its own score, −1 where it lowers it.
  double copying = 0;

  std::string name() const { return "L" + std::to_string(layer) + "H" + std::to_string(head); }
};

struct InductionScores {
  int64_t step = 0;  // steps taken
  double loss = 0;   // of held-out sequences, in nats a token
  double in_context =
      0;  // loss at a late token − loss at an early one, of the same sequences: late_and_early()
  double first = 0, second = 0;  // loss in the first and the second half of held-out repeats
  std::vector<HeadScores> heads = {};
  std::vector<uint8_t> patterns = {};  // (heads, kShown, kShown), in 255ths: of a repeat of kShown/2 tokens

  static constexpr int64_t kShown = 32;
  /// The head that matches prefixes best; null where there is none.
  const HeadScores* best() const;
};

/// Olsson et al. compare tokens 500 and 50 of contexts of 512; of ours it is those at the same shares, and at most the last
/// that has a next one. Places, whose next token's loss it is.
std::pair<int64_t, int64_t> late_and_early(int64_t length);

/// The criterion, stated beforehand: a model has induction heads where a head's prefix-matching score is at least
/// kLeastMatching, and the second half of held-out repeats costs at least kLeastGain nats a token less than the first.
inline constexpr double kLeastMatching = 0.4, kLeastGain = 1.0;
bool has_induction(const InductionScores& s);
/// The step at which it held for the first time; none where it does not hold at the end.
std::optional<int64_t> formed_at(const std::vector<InductionScores>& all);

/// Of a model as it is after `step` steps.
InductionScores induction_scores(TextModel& model, const InductionData& data, int64_t step);

/// A line of scores.jsonl, and back. The latter throws nlohmann::json::exception for what is none.
std::string scores_line(const InductionScores& s);
InductionScores parse_scores(const std::string& line);

}  // namespace loupe
