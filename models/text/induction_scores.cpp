#include "models/text/induction_scores.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/text/head_factors.h"

namespace loupe {

namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kSequences = 64;  // of each kind that is held out

// The losses of each sequence and, of models with layers, the patterns (N, heads, L, L) of each layer.
struct Seen {
  std::vector<std::vector<double>> losses;
  std::vector<Tensor> patterns;
};

Seen look(TextModel& model, const std::vector<Ids>& sequences, bool patterns) {
  const NodeId logits = model.node("logits");
  Purpose purpose{.values = {logits}};
  std::vector<Port> attentions;
  for (int64_t l = 0; patterns && l < model.config.layers; ++l)
    attentions.push_back({model.block(l, "attention"), 1});
  for (const Port p : attentions) purpose.values.push_back(p);
  const std::vector<Tensor> inputs = model.inputs(sequences);
  Execution& pass = model.network.execution(shapes_of(inputs), purpose);
  pass.forward(inputs);
  Seen seen;
  const Tensor scores = pass.value(logits);
  for (size_t n = 0; n < sequences.size(); ++n)
    seen.losses.push_back(next_token_losses(scores.row(static_cast<int64_t>(n)), sequences[n]));
  for (const Port p : attentions) seen.patterns.push_back(pass.value(p));
  return seen;
}

// Mean of pattern[n, head, l, l − back] over sequences and l = first … last.
double mean_attention(const Tensor& pattern, int64_t head, int64_t back, int64_t first, int64_t last) {
  const Shape& s = pattern.shape();
  double sum = 0;
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t l = first; l <= last; ++l)
      sum += pattern.item(((n * s[1] + head) * s[2] + l) * s[3] + l - back);
  return sum / static_cast<double>(s[0] * (last - first + 1));
}

double mean_loss(const std::vector<std::vector<double>>& losses, int64_t first, int64_t last) {
  double sum = 0;
  for (const std::vector<double>& of : losses)
    for (int64_t l = first; l <= last; ++l) sum += of[static_cast<size_t>(l)];
  return sum / static_cast<double>(std::ssize(losses) * (last - first + 1));
}

void score_repeats(TextModel& model, int64_t length, InductionScores& s) {
  const int64_t period = length / 2;
  const Seen seen = look(model, InductionData::repeats(kSequences, length), true);
  // The loss at l is that of token l + 1; the second half's first token follows from nothing.
  s.first = mean_loss(seen.losses, 0, period - 2);
  s.second = mean_loss(seen.losses, period, 2 * period - 2);
  const VocabularyProducts tokens = vocabulary_products(embedding_table(model), unembedding_table(model));
  for (int64_t layer = 0; layer < model.config.layers; ++layer)
    for (int64_t head = 0; head < model.config.heads; ++head) {
      const Tensor& pattern = seen.patterns[static_cast<size_t>(layer)];
      s.heads.push_back(
          {.layer = layer,
           .head = head,
           .prefix_matching = mean_attention(pattern, head, period - 1, period, 2 * period - 1),
           .previous_token = mean_attention(pattern, head, 1, 1, 2 * period - 1),
           .copying = eigenvalue_scores(head_factors(model, layer, head), tokens).full_copying});
    }
}

void keep_patterns(TextModel& model, InductionScores& s) {
  const Seen seen = look(model, InductionData::repeats(1, InductionScores::kShown), true);
  for (const Tensor& pattern : seen.patterns)
    for (int64_t i = 0; i < pattern.numel(); ++i)
      s.patterns.push_back(static_cast<uint8_t>(std::lround(255 * std::clamp(pattern.item(i), 0.0, 1.0))));
}

std::string hex(const std::vector<uint8_t>& bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t b : bytes) (text += kDigits[b >> 4]) += kDigits[b & 15];
  return text;
}

std::vector<uint8_t> parse_hex(const std::string& text) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

double rounded(double x) { return std::round(x * 1e5) / 1e5; }

}  // namespace

std::pair<int64_t, int64_t> late_and_early(int64_t length) {
  return {std::min(500 * length / 512, length - 2), 50 * length / 512};
}

const HeadScores* InductionScores::best() const {
  const auto found = std::ranges::max_element(heads, {}, &HeadScores::prefix_matching);
  return found == heads.end() ? nullptr : &*found;
}

bool has_induction(const InductionScores& s) {
  return s.best() && s.best()->prefix_matching >= kLeastMatching && s.first - s.second >= kLeastGain;
}

std::optional<int64_t> formed_at(const std::vector<InductionScores>& all) {
  if (all.empty() || !has_induction(all.back())) return {};
  return std::ranges::find_if(all, has_induction)->step;
}

InductionScores induction_scores(TextModel& model, const InductionData& data, int64_t step) {
  InductionScores s{.step = step};
  const std::vector<Ids> held_out = data.held_out(4 * kSequences);
  const Seen seen = look(model, held_out, false);
  const int64_t length = std::ssize(held_out[0]);
  const auto [late, early] = late_and_early(length);
  s.loss = mean_loss(seen.losses, 0, length - 2);
  s.in_context = mean_loss(seen.losses, late, late) - mean_loss(seen.losses, early, early);
  score_repeats(model, length, s);
  keep_patterns(model, s);
  return s;
}

std::string scores_line(const InductionScores& s) {
  Json heads = Json::array();
  for (const HeadScores& h : s.heads)
    heads.push_back({{"layer", h.layer},
                     {"head", h.head},
                     {"prefix_matching", rounded(h.prefix_matching)},
                     {"previous_token", rounded(h.previous_token)},
                     {"copying", rounded(h.copying)}});
  return Json{{"step", s.step},
              {"loss", rounded(s.loss)},
              {"in_context", rounded(s.in_context)},
              {"first", rounded(s.first)},
              {"second", rounded(s.second)},
              {"heads", heads},
              {"patterns", hex(s.patterns)}}
             .dump() +
         "\n";
}

InductionScores parse_scores(const std::string& line) {
  const auto j = nlohmann::json::parse(line);
  InductionScores s{.step = j.at("step"),
                    .loss = j.at("loss"),
                    .in_context = j.at("in_context"),
                    .first = j.at("first"),
                    .second = j.at("second")};
  for (const auto& h : j.at("heads"))
    s.heads.push_back({.layer = h.at("layer"),
                       .head = h.at("head"),
                       .prefix_matching = h.at("prefix_matching"),
                       .previous_token = h.at("previous_token"),
                       .copying = h.at("copying")});
  s.patterns = parse_hex(j.at("patterns"));
  return s;
}

}  // namespace loupe
