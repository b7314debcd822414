#include "models/text/repeats.h"

#include <algorithm>
#include <charconv>

#include "kernels/common/random.h"

namespace loupe {
namespace {

void check(const TextModel& model, int64_t count, int64_t half) {
  if (model.config.family == "bert")
    throw UsageError(model.network.name() + " predicts no next token, so that it has no induction to show");
  if (count < 1 || half < 2) throw UsageError("repeats take at least one sequence of two tokens twice");
  if (2 * half > model.config.positions)
    throw UsageError(model.network.name() + " takes at most " + std::to_string(model.config.positions) +
                     " tokens at a time, and " + std::to_string(half) + " twice are more");
}

std::vector<Ids> sequences(const TextModel& model, int64_t begin, int64_t end, int64_t half) {
  std::vector<Ids> all;
  for (int64_t s = begin; s < end; ++s) all.push_back(repeated_tokens(s, half, model.config.vocabulary));
  return all;
}

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}
std::span<const double> second_half(const std::vector<double>& losses, int64_t half) {
  return std::span(losses).subspan(static_cast<size_t>(half));
}

}  // namespace

std::string Head::name() const { return "L" + std::to_string(layer) + "H" + std::to_string(head); }

Head parse_head(std::string_view text) {
  Head h{};
  const char *end = text.data() + text.size(), *at = text.data();
  const auto number = [&](char letter, int64_t& to) {
    if (at == end || *at != letter) return false;
    const auto [behind, error] = std::from_chars(at + 1, end, to);
    at = behind;
    return error == std::errc() && to >= 0;
  };
  if (!number('L', h.layer) || !number('H', h.head) || at != end)
    throw UsageError("a head is written like L17H3, not '" + std::string(text) + "'");
  return h;
}

Ids repeated_tokens(int64_t s, int64_t half, int64_t vocabulary) {
  constexpr uint64_t kStep = 0x9E3779B97F4A7C15;
  const int64_t first = vocabulary >= 10'000 ? 1000 : vocabulary / 10,
                count = vocabulary >= 10'000 ? 9000 : vocabulary - first;
  Ids ids(static_cast<size_t>(2 * half));
  for (int64_t j = 0; j < half; ++j) {
    const uint64_t random = scrambled(static_cast<uint64_t>(half * s + j) * kStep);
    ids[static_cast<size_t>(j)] = ids[static_cast<size_t>(half + j)] =
        static_cast<int32_t>(first + static_cast<int64_t>(random % static_cast<uint64_t>(count)));
  }
  return ids;
}

Repeats measure_repeats(TextModel& model, int64_t count, int64_t half, const Watched& watch) {
  check(model, count, half);
  Repeats all{.heads = head_statistics(model, sequences(model, 0, count, half), {}, watch)};
  for (const std::vector<double>& losses : all.heads.losses) {
    all.first += mean(std::span(losses).first(static_cast<size_t>(half - 1))) / static_cast<double>(count);
    all.repeat += mean(second_half(losses, half)) / static_cast<double>(count);
  }
  return all;
}

std::vector<double> ablated_losses(TextModel& model, int64_t count, int64_t half,
                                   const std::vector<std::vector<Head>>& silenced, const Watched& watch) {
  check(model, count, half);
  // An edit a head that is silenced at all, the latest first to run: passes then begin as late as they can.
  std::vector<Head> heads;
  for (const auto& set : silenced) heads.insert(heads.end(), set.begin(), set.end());
  std::ranges::sort(heads);
  heads.erase(std::ranges::unique(heads).begin(), heads.end());
  Purpose purpose{.values = {model.node("logits")}};
  for (const Head& h : heads) {
    model.expect_head(h.layer, h.head);
    purpose.edits.push_back({.at = model.block(h.layer, "attention"), .kind = Edit::Kind::set});
  }
  const std::vector<Ids> these = sequences(model, 0, count, half);
  const auto inputs = model.inputs(these);
  Execution& run = model.network.execution(shapes_of(inputs), purpose);
  run.forward(inputs);
  std::vector<double> losses;
  for (const auto& set : silenced) {
    for (size_t e = 0; e < heads.size(); ++e)
      if (std::ranges::count(set, heads[e]))
        run.edit(e, Cells::head(heads[e].head, model.config.head_width), 0);
      else
        run.undo(e);
    run.again();
    const Tensor logits = run.value(purpose.values[0]);
    double sum = 0;
    for (size_t n = 0; n < these.size(); ++n)
      sum += mean(second_half(next_token_losses(logits.row(static_cast<int64_t>(n)), these[n]), half));
    losses.push_back(sum / static_cast<double>(count));
    if (watch) watch(static_cast<double>(losses.size()) / static_cast<double>(silenced.size()));
  }
  return losses;
}

}  // namespace loupe
