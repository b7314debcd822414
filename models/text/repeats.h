// Random tokens, twice: what shows induction (Olsson et al. 2022, "In-context learning and induction heads"). Nothing
// but the first half tells what comes in the second, so a model whose loss falls there looks back.
#pragma once
#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/text/head_statistics.h"

namespace loupe {

struct Head {
  int64_t layer, head;
  /// "L17H3"
  std::string name() const;
  friend auto operator<=>(const Head&, const Head&) = default;
};
/// Throws UsageError for what does not read like "L17H3".
Head parse_head(std::string_view text);

/// Sequence s: `half` random tokens, and again. Token j is one of 9,000 from number 1,000 on, 1000 + splitmix64(half·s + j)
/// mod 9000, as the goldens have it; in a vocabulary of fewer than 10,000 one of its upper nine tenths.
Ids repeated_tokens(int64_t s, int64_t half, int64_t vocabulary);

struct Repeats {
  double first = 0, repeat = 0;  // mean loss of a token in the first half, and in the second; nats
  HeadStatistics heads = {};     // induction, duplicate: in the second half
};

using Watched = std::function<void(double part)>;

/// Of `count` sequences. Throws UsageError where a model has too few positions or no logits.
Repeats measure_repeats(TextModel& model, int64_t count, int64_t half, const Watched& watch = {});

/// The mean loss of the second half, of the first `count` sequences, with each of these sets of heads silenced in turn:
/// their results are 0 (zero ablation). What comes before the first silenced head is computed once.
std::vector<double> ablated_losses(TextModel& model, int64_t count, int64_t half,
                                   const std::vector<std::vector<Head>>& silenced, const Watched& watch = {});

}  // namespace loupe
