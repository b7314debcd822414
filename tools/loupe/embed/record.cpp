// What is said of an embedding: embed.json, a summary, and tables of neighbours.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "kernels/common/suggest.h"
#include "tools/loupe/embed/embed.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

std::string three_digits(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", x);
  return text;
}

int64_t find_word(const Points& points, const std::string& word) {
  if (points.words.empty()) return parse_whole("a point without a word", word, 0, points.count() - 1);
  const auto found = std::ranges::find(points.words, word);
  if (found == points.words.end())
    throw UsageError("there is no '" + one_line(word) + "' among the " + with_commas(points.count()) +
                     " words" + did_you_mean(word, points.words));
  return found - points.words.begin();
}

NearTable table_of(const Points& points, const std::vector<Near>& near, const std::string& asked,
                   Metric metric) {
  const bool cosine = metric == Metric::cosine;
  NearTable table{asked, cosine ? "cosine" : "distance", {}};
  for (const Near& n : near)
    table.rows.emplace_back(points.word(n.index), cosine ? 1 - n.distance : n.distance);
  return table;
}

}  // namespace

NearTable near_table(const Points& points, const std::string& word, const MapChoice& how) {
  const int64_t at = find_word(points, word), except[] = {at};
  return table_of(points,
                  nearest_to(points.vectors, row_of(points.vectors, at), how.neighbours, how.metric, except),
                  word, how.metric);
}

NearTable analogy_table(const Points& points, const std::string& three, int64_t count) {
  const std::vector<std::string> words = split_commas(three);
  if (words.size() != 3)
    throw UsageError("--analogy takes three words a,b,c (it looks for a - b + c), not '" + one_line(three) +
                     "'");
  const auto at = [&](size_t i) { return find_word(points, words[i]); };
  return table_of(points, analogy(points.vectors, at(0), at(1), at(2), count),
                  words[0] + " - " + words[1] + " + " + words[2], Metric::cosine);
}

std::string near_text(const NearTable& table) {
  Table text({{"nearest to " + one_line(table.asked)}, {table.measure, Table::Align::right}}, 2);
  for (const auto& [word, value] : table.rows) text.row({one_line(word), three_digits(value)});
  return text.str();
}

json embedding_record(const Embedding& e) {
  json all{{"what", valid_utf8(e.points.what)},
           {"points", e.points.count()},
           {"dimensions", e.points.vectors.shape()[1]},
           {"metric", metric_name(e.how.metric)},
           {"map", e.how.by_tsne ? "tsne" : "pca"}};
  for (const auto& [name, value] : e.points.settings) all["network"][name] = valid_utf8(value);
  if (e.how.by_tsne) {
    const TsneOptions& o = e.how.tsne;
    all["tsne"] = {{"perplexity", o.perplexity},
                   {"steps", o.steps},
                   {"exaggeration", o.exaggeration},
                   {"exaggerated", std::min(o.steps, o.exaggerated)},
                   {"init", o.from_noise ? "random" : "pca"},
                   {"seed", o.seed},
                   {"kl_divergence", e.divergence},
                   {"affinity_bytes", tsne_bytes(e.points.count())}};
  } else {
    all["explained"] = {e.explained[0], e.explained[1]};
  }
  all["neighbours"] = e.how.neighbours;
  all["trustworthiness"] = e.trust;
  all["recall"] = e.recall;
  all["purity"] = nullptr;
  if (e.purity)
    all["purity"] = {
        {"vectors", e.purity->share}, {"map", e.purity_on_map->share}, {"chance", e.purity->chance}};
  if (!e.labels.names.empty()) all["labels"] = e.labels.names.size();
  if (!e.clusters.names.empty()) {
    json& clusters = all["clusters"] = {{"seed", e.how.seed}, {"names", json::array()}};
    for (const std::string& name : e.clusters.names) clusters["names"].push_back(valid_utf8(name));
    clusters["of"] = e.clusters.of;
  }
  for (const auto& [name, why] : e.points.skipped)
    all["skipped"].push_back({{"image", valid_utf8(name)}, {"why", valid_utf8(why)}});
  for (const auto& [name, seconds] : e.seconds) all["seconds"][name] = seconds;
  return all;
}

std::string embedding_summary(const Embedding& e) {
  const auto line = [](const std::string& name, const std::string& text) {
    return "  " + padded(name, 17) + text + "\n";
  };
  std::string text =
      one_line(e.points.what) + ": " + with_commas(e.points.count()) + " points of " +
      with_commas(e.points.vectors.shape()[1]) + " numbers" +
      (e.labels.names.empty() ? "" : ", " + with_commas(std::ssize(e.labels.names)) + " labels") + "\n";
  if (e.how.by_tsne)
    text += line("t-SNE", "exact; perplexity " + short_number(e.how.tsne.perplexity) + ", " +
                              with_commas(e.how.tsne.steps) + " steps, KL divergence " +
                              three_digits(e.divergence) + ", " + short_bytes(tsne_bytes(e.points.count())) +
                              " of affinities");
  else
    text += line("PCA", percent(e.explained[0]) + " and " + percent(e.explained[1]) + " of the variance");
  const std::string k = std::to_string(e.how.neighbours);
  text += line("map", "trustworthiness " + three_digits(e.trust) + ", recall of neighbours " +
                          three_digits(e.recall) + " (of " + k + ", " +
                          std::string(metric_name(e.how.metric)) + ")");
  if (e.purity)
    text += line("purity", percent(e.purity->share) + " of the " + k + " nearest have the point's label, " +
                               percent(e.purity_on_map->share) + " on the map; by chance " +
                               percent(e.purity->chance));
  if (!e.points.skipped.empty())
    text += line("not read", with_commas(std::ssize(e.points.skipped)) + " files; the first is '" +
                                 one_line(e.points.skipped[0].first) + "': " + e.points.skipped[0].second);
  std::string times;
  for (const auto& [name, seconds] : e.seconds)
    times += (times.empty() ? "" : ", ") + std::string(name == "neighbours_on_map" ? "on the map" : name) +
             " " + short_seconds(seconds);
  return text + line("time", times);
}

}  // namespace loupe
