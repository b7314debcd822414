#include "tools/loupe/circuits/tables.h"

#include <algorithm>
#include <cstdio>

#include "engine/text/tokenizer.h"
#include "kernels/common/parallel.h"
#include "models/text/head_factors.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;
using enum Table::Align;

std::string digits(double x, int count = 3) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", count, x);
  return text;
}

Head head_of(const TextModel& model, int64_t index) {
  return {index / model.config.heads, index % model.config.heads};
}
int64_t index_of(const TextModel& model, const Head& h) { return h.layer * model.config.heads + h.head; }

}  // namespace

Composition parse_composition(const std::string& name) {
  for (const Composition c : kCompositions)
    if (name == composition_name(c)) return c;
  throw UsageError("--by takes query, key or value, not '" + one_line(name) + "'");
}

CircuitTable heads_table(const TextModel& model, int64_t count) {
  const std::vector<HeadFactors> heads = all_head_factors(model);
  const VocabularyProducts tokens = vocabulary_products(embedding_table(model), unembedding_table(model));
  std::vector<std::pair<int64_t, EigenvalueScores>> rows(heads.size());
  parallel_for(std::ssize(heads), [&](int64_t i) {
    rows[static_cast<size_t>(i)] = {i, eigenvalue_scores(heads[static_cast<size_t>(i)], tokens)};
  });
  std::ranges::stable_sort(rows, std::ranges::greater(), [](const auto& r) { return r.second.full_copying; });
  if (std::ssize(rows) > count) rows.resize(static_cast<size_t>(count));
  Table table({{"head"}, {"OV copying", right}, {"with tokens", right}, {"QK matching", right}}, 2);
  Json json = Json::array();
  for (const auto& [i, s] : rows) {
    const std::string name = head_of(model, i).name();
    table.row({name, digits(s.copying), digits(s.full_copying), digits(s.matching)});
    json.push_back(
        {{"head", name}, {"copying", s.copying}, {"full_copying", s.full_copying}, {"matching", s.matching}});
  }
  return {table.str(), {{"model", model.network.name()}, {"heads", json}}};
}

CircuitTable composition_table(const TextModel& model, Composition by, const std::optional<Head>& into,
                               int64_t count) {
  if (into) model.expect_head(into->layer, into->head);
  const Compositions all(all_head_factors(model));
  struct Read {
    int64_t from, into;
    double score;
  };
  std::vector<Read> pairs;
  for (int64_t i = 0; i < static_cast<int64_t>(all.size()); ++i) {
    if (into && i != index_of(model, *into)) continue;
    for (int64_t f = 0; f < i / model.config.heads * model.config.heads; ++f) pairs.push_back({f, i, 0});
  }
  parallel_for(std::ssize(pairs), [&](int64_t p) {
    Read& pair = pairs[static_cast<size_t>(p)];
    pair.score = all.score(by, static_cast<size_t>(pair.from), static_cast<size_t>(pair.into));
  });
  std::ranges::stable_sort(pairs, std::ranges::greater(), &Read::score);
  const size_t compared = pairs.size();
  if (std::ssize(pairs) > count) pairs.resize(static_cast<size_t>(count));
  Table table({{"head"}, {"reads"}, {std::string(composition_name(by)) + " composition", right}}, 2);
  Json json = Json::array();
  for (const Read& p : pairs) {
    table.row({head_of(model, p.into).name(), head_of(model, p.from).name(), digits(p.score, 4)});
    json.push_back({{"into", head_of(model, p.into).name()},
                    {"from", head_of(model, p.from).name()},
                    {"score", p.score}});
  }
  return {table.str() + "  of " + with_commas(static_cast<int64_t>(compared)) + " pairs\n",
          {{"model", model.network.name()},
           {"by", composition_name(by)},
           {"compared", compared},
           {"pairs", json}}};
}

CircuitTable tokens_table(const TextModel& model, const Head& head, const std::vector<int32_t>& from,
                          int64_t count) {
  for (const int32_t id : from)
    if (id >= model.config.vocabulary)
      throw UsageError("token " + std::to_string(id) + " is not one of the " +
                       std::to_string(model.config.vocabulary) + " of the vocabulary");
  const std::vector<TokenPair> pairs =
      largest_pairs(head_factors(model, head.layer, head.head), embedding_table(model),
                    unembedding_table(model), from, count);
  const auto named = [&](int32_t id) {
    const bool there = model.tokenizer && id < model.tokenizer->size();
    return std::to_string(id) + (there ? " " + shown_piece(model.tokenizer->piece(id)) : "");
  };
  Table table({{"sees"}, {"raises"}, {"logit", right}}, 2);
  Json json = Json::array();
  for (const TokenPair& p : pairs) {
    table.row({named(p.from), named(p.to), short_number(p.value)});
    json.push_back({{"from", p.from}, {"to", p.to}, {"value", p.value}});
  }
  return {table.str(), {{"model", model.network.name()}, {"head", head.name()}, {"pairs", json}}};
}

}  // namespace loupe
