#include "tools/loupe/circuits/report.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "kernels/common/parallel.h"
#include "models/text/head_factors.h"

namespace loupe {
namespace {

constexpr size_t kStrongest = 5;  // compositions that are told of each induction head

size_t index_of(const CircuitReport& r, const Head& h) {
  return static_cast<size_t>(h.layer * r.heads + h.head);
}

std::vector<CircuitHead> heads_above(const CircuitReport& r, const HeadStatistics::Scores& scores,
                                     double least) {
  std::vector<CircuitHead> all;
  for (int64_t l = 0; l < r.layers; ++l)
    for (int64_t h = 0; h < r.heads; ++h)
      if (const double score = scores[static_cast<size_t>(l)][static_cast<size_t>(h)]; score >= least)
        all.push_back({{l, h}, score, r.says[index_of(r, {l, h})]});
  std::ranges::stable_sort(all, std::ranges::greater(), &CircuitHead::score);
  return all;
}

// What an induction head reads of the heads in layers before its own: the strongest, and those that look at the token
// before, wherever they stand.
std::vector<KeyComposition> compositions_into(const CircuitReport& r, const Compositions& all,
                                              const Head& into) {
  std::vector<KeyComposition> rows;
  for (int64_t l = 0; l < into.layer; ++l)
    for (int64_t h = 0; h < r.heads; ++h)
      rows.push_back({{l, h},
                      all.score(Composition::key, index_of(r, {l, h}), index_of(r, into)),
                      0,
                      into.layer * r.heads});
  std::ranges::stable_sort(rows, std::ranges::greater(), &KeyComposition::score);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].rank = static_cast<int64_t>(i) + 1;
  std::erase_if(rows, [&](const KeyComposition& k) {
    return k.rank > static_cast<int64_t>(kStrongest) &&
           !std::ranges::count(r.previous, k.from, &CircuitHead::at);
  });
  return rows;
}

// The head that all induction heads together read most.
int most_read(const CircuitReport& r) {
  int best = -1;
  double most = 0;
  for (size_t p = 0; p < r.previous.size(); ++p) {
    double sum = 0;
    for (const auto& rows : r.keys)
      for (const KeyComposition& k : rows) sum += k.from == r.previous[p].at ? k.score : 0;
    if (sum > most) most = sum, best = static_cast<int>(p);
  }
  return best;
}

// A head that does none of it: the one whose largest score is smallest.
Head bystander(const CircuitReport& r) {
  const HeadStatistics& s = r.repeats.heads;
  Head least{0, 0};
  double smallest = 2;
  for (int64_t l = 0; l < r.layers; ++l)
    for (int64_t h = 0; h < r.heads; ++h) {
      const auto at = [&](const HeadStatistics::Scores& of) {
        return of[static_cast<size_t>(l)][static_cast<size_t>(h)];
      };
      const double score = std::max(
          {at(s.of(Statistic::induction)), at(s.of(Statistic::previous)), at(s.of(Statistic::duplicate))});
      if (score < smallest) smallest = score, least = {l, h};
    }
  return least;
}

void plan_ablations(CircuitReport& r) {
  const auto add = [&](std::string what, std::vector<Head> heads) {
    r.ablations.push_back({std::move(what), std::move(heads), 0});
  };
  add("nothing", {});
  if (r.layers == 0) return;
  if (r.chosen >= 0) add("the previous-token head", {r.source().at});
  if (!r.induction.empty()) add("the strongest induction head", {r.induction[0].at});
  if (r.induction.size() > 1) {
    std::vector<Head> all;
    for (const CircuitHead& h : r.induction) all.push_back(h.at);
    std::ranges::sort(all);
    add("all " + std::to_string(all.size()) + " induction heads", all);
  }
  add("a head that does none of it", {bystander(r)});
  for (const Head& h : r.how.ablate) add("as asked", {h});
}

}  // namespace

CircuitReport circuit_report(TextModel& model, const ReportChoice& how, const ReportWatch& watch) {
  const auto start = std::chrono::steady_clock::now();
  for (const Head& h : how.ablate) model.expect_head(h.layer, h.head);
  CircuitReport r{.model = model.network.name(),
                  .how = how,
                  .layers = model.config.layers,
                  .heads = model.config.heads,
                  .repeats = measure_repeats(model, how.sequences, how.half,
                                             [&](double part) { watch("repeating tokens", part); })};
  watch("reading weights", 0);
  const std::vector<HeadFactors> heads = all_head_factors(model);
  if (!heads.empty()) {
    const VocabularyProducts tokens = vocabulary_products(embedding_table(model), unembedding_table(model));
    r.says.resize(heads.size());
    watch("reading weights", .5);
    parallel_for(std::ssize(heads), [&](int64_t i) {
      r.says[static_cast<size_t>(i)] = eigenvalue_scores(heads[static_cast<size_t>(i)], tokens);
    });
    const Compositions compositions(heads);
    r.induction = heads_above(r, r.repeats.heads.of(Statistic::induction), how.induction);
    r.previous = heads_above(r, r.repeats.heads.of(Statistic::previous), how.previous);
    int64_t last = -1;
    for (const CircuitHead& h : r.induction) last = std::max(last, h.at.layer);
    std::erase_if(r.previous, [&](const CircuitHead& h) { return h.at.layer >= last; });
    for (const CircuitHead& h : r.induction) r.keys.push_back(compositions_into(r, compositions, h.at));
    r.chosen = most_read(r);
  }
  plan_ablations(r);
  std::vector<std::vector<Head>> sets;
  for (const Ablation& a : r.ablations) sets.push_back(a.heads);
  const std::vector<double> losses =
      ablated_losses(model, std::min(how.ablated, how.sequences), how.half, sets,
                     [&](double part) { watch("silencing heads", part); });
  for (size_t i = 0; i < losses.size(); ++i) r.ablations[i].loss = losses[i];
  r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return r;
}

nlohmann::ordered_json report_json(const CircuitReport& r) {
  using Json = nlohmann::ordered_json;
  const auto head = [](const CircuitHead& h) {
    return Json{{"head", h.at.name()},
                {"score", h.score},
                {"copying", h.says.copying},
                {"full_copying", h.says.full_copying},
                {"matching", h.says.matching}};
  };
  Json induction = Json::array(), previous = Json::array(), keys = Json::object(), ablation = Json::array();
  for (const CircuitHead& h : r.induction) induction.push_back(head(h));
  for (const CircuitHead& h : r.previous) previous.push_back(head(h));
  for (size_t i = 0; i < r.keys.size(); ++i) {
    Json& rows = keys[r.induction[i].at.name()] = Json::array();
    for (const KeyComposition& k : r.keys[i])
      rows.push_back({{"from", k.from.name()}, {"score", k.score}, {"rank", k.rank}, {"of", k.of}});
  }
  for (const Ablation& a : r.ablations) {
    Json names = Json::array();
    for (const Head& h : a.heads) names.push_back(h.name());
    ablation.push_back({{"what", a.what}, {"heads", names}, {"loss", a.loss}});
  }
  const auto by_layer = [&](double EigenvalueScores::*of) {
    Json all = Json::array();
    for (int64_t l = 0; l < r.layers; ++l) {
      Json row = Json::array();
      for (int64_t h = 0; h < r.heads; ++h) row.push_back(r.says[index_of(r, {l, h})].*of);
      all.push_back(row);
    }
    return all;
  };
  const HeadStatistics& s = r.repeats.heads;
  return {{"loupe", LOUPE_VERSION},
          {"model", r.model},
          {"found", r.found()},
          {"verdict", report_verdict(r)},
          {"sequences", r.how.sequences},
          {"half", r.how.half},
          {"loss", {{"first_half", r.repeats.first}, {"repeat", r.repeats.repeat}}},
          {"previous_token_head", r.found() ? Json(r.source().at.name()) : Json(nullptr)},
          {"induction_heads", induction},
          {"previous_token_heads", previous},
          {"k_composition", keys},
          {"ablation_sequences", std::min(r.how.ablated, r.how.sequences)},
          {"ablation", ablation},
          {"induction", s.of(Statistic::induction)},
          {"previous", s.of(Statistic::previous)},
          {"duplicate", s.of(Statistic::duplicate)},
          {"first", s.of(Statistic::first)},
          {"ov_eigen_copying", by_layer(&EigenvalueScores::copying)},
          {"full_ov_circuit_eigen_copying", by_layer(&EigenvalueScores::full_copying)},
          {"qk_eigen_matching", by_layer(&EigenvalueScores::matching)},
          {"seconds", r.seconds}};
}

}  // namespace loupe
