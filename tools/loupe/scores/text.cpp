#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/loupe/scores/scores.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using Json = nlohmann::ordered_json;

std::string decimals(double x, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, x);
  return text;
}

std::string cell(const Verdicts& v) {
  if (v.tally.count() == 0) return "– ";
  const std::string mean = decimals(v.tally.mean(), 3);
  if (v.metric->passes_below)
    return mean + (v.tally.mean() < *v.metric->passes_below ? " passes" : " fails ");
  return mean + (v.beats_baselines == false ? "*" : " ");
}

constexpr size_t kColumns = 9;  // of metrics in one table

// A row a method, with the metrics [first, end); the last table also says how long a map takes.
std::string table(const Scores& s, size_t first, size_t end) {
  const bool with_time = end == s.evaluation.metrics.size();
  std::vector<Table::Column> columns{{"method"}};
  for (size_t i = first; i < end; ++i)
    columns.push_back({std::string(s.evaluation.metrics[i]->heading) + " ", Table::Align::right});
  if (with_time) columns.push_back({"ms", Table::Align::right});
  Table table(std::move(columns));
  bool baselines = false;
  for (const Standing& standing : s.evaluation.standings) {
    if (standing.contestant.baseline && !baselines) table.line();
    baselines = standing.contestant.baseline;
    std::vector<std::string> cells{std::string(standing.contestant.method->name)};
    for (size_t i = first; i < end; ++i) cells.push_back(cell(standing.verdicts[i]));
    if (with_time) cells.push_back(decimals(standing.seconds * 1e3, standing.seconds < 0.00995 ? 1 : 0));
    table.row(std::move(cells));
  }
  return table.str();
}

// Breaks lines between words.
std::string wrapped(const std::string& text, size_t width = 110) {
  std::string out, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && columns(line) + 1 + columns(word) > width) out += line + "\n", line.clear();
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line + "\n";
}

// Which scores are of fewer pictures.
std::string of_fewer(const Scores& s) {
  std::vector<std::string> alone, methods;
  bool two = false;
  for (const Metric* m : s.evaluation.metrics) {
    if (m->costly && m->objects == 1) alone.emplace_back(m->heading);
    two |= m->objects == 2;
  }
  for (const Standing& standing : s.evaluation.standings)
    if (standing.contestant.method->costly) methods.emplace_back(standing.contestant.method->name);
  const std::string count = with_commas(s.costly);
  std::string out;
  if (!alone.empty())
    out += " " + join(alone) + (alone.size() == 1 ? " is" : " are") + " of " + count + " of them.";
  if (two) out += " " + count + (s.costly == 1 ? " picture has" : " pictures have") + " two objects.";
  if (!methods.empty())
    out += " Costly methods (" + join(methods) + ") are asked about " + count +
           ", and by costly scores about a tenth of these.";
  return out;
}

// How alike a method's map stays, a column a layer.
std::string cascade_text(const Scores& s) {
  std::vector<Table::Column> columns{{"layer by layer"}};
  for (const CascadeStep& step : s.cascade) columns.push_back({step.layer, Table::Align::right});
  Table table(std::move(columns));
  for (size_t c = 0; c < s.evaluation.standings.size(); ++c) {
    const Contestant& contestant = s.evaluation.standings[c].contestant;
    if (contestant.baseline) continue;  // theirs is 1
    std::vector<std::string> cells{std::string(contestant.method->name)};
    for (const CascadeStep& step : s.cascade) cells.push_back(decimals(step.similarity[c].mean(), 3));
    table.row(std::move(cells));
  }
  return table.str() +
         "\nThe rank correlation of the map with that of the network whose layers from the named one to the "
         "output are untrained.\n\n";
}

}  // namespace

std::string scores_text(const Scores& s) {
  const std::span<const Metric* const> metrics = s.evaluation.metrics;
  bool any_mark = false;
  double error = 0;
  for (const Standing& standing : s.evaluation.standings)
    for (const Verdicts& v : standing.verdicts) {
      any_mark |= v.beats_baselines == false;
      if (!v.metric->descriptive) error = std::max(error, v.tally.standard_error());
    }
  // More columns than a terminal holds go below, in a table of their own.
  std::string out;
  for (size_t first = 0; first < metrics.size(); first += kColumns)
    out += table(s, first, std::min(first + kColumns, metrics.size())) + "\n";
  if (!s.cascade.empty()) out += cascade_text(s);
  size_t width = 0;
  for (const Metric* m : metrics) width = std::max(width, m->heading.size());
  for (const Metric* m : metrics) {
    out += padded(m->heading, width) + "  " + std::string(m->summary);
    if (m->passes_below) out += "; passes below " + short_number(*m->passes_below);
    out += "\n";
  }
  out += padded("ms", width) + "  milliseconds for one map on " + s.device + ", " +
         std::to_string(s.threads) + (s.threads == 1 ? " thread" : " threads") + ", the median\n";
  if (any_mark) out += padded("*", width) + "  no better than a baseline, which looks at nothing\n";

  out += "\n" +
         wrapped(with_commas(s.count) + (s.count == 1 ? " picture" : " pictures") + " of the set " +
                 std::to_string(s.seed) + ", of which " + s.model + " names " +
                 percent(s.evaluation.right.mean()) + " right." + of_fewer(s) +
                 " Standard errors are at most " + decimals(error, 3) + ".") +
         "The run took " + short_seconds(s.seconds) + ".\n";
  for (const Skipped& skipped : s.skipped) out += skipped.method + " left out: " + skipped.why + "\n";
  if (!s.files.empty()) out += join(s.files) + " hold the scores\n";
  return out;
}

Json scores_json(const Scores& s) {
  Json metrics = Json::array(), methods = Json::array(), skipped = Json::array();
  for (const Metric* m : s.evaluation.metrics) {
    metrics.push_back({{"name", m->name},
                       {"summary", m->summary},
                       {"source", m->source},
                       {"better", m->better == Metric::Better::higher ? "higher" : "lower"},
                       {"objects", m->objects},
                       {"descriptive", m->descriptive},
                       {"passes_below", m->passes_below ? Json(*m->passes_below) : Json()}});
  }
  Json cascade = Json::array();
  for (const CascadeStep& step : s.cascade) {
    Json& row = cascade.emplace_back(Json{{"layer", step.layer}, {"similarity", Json::object()}});
    for (size_t c = 0; c < step.similarity.size(); ++c)
      row["similarity"][std::string(s.evaluation.standings[c].contestant.method->name)] = {
          {"mean", step.similarity[c].mean()},
          {"standard_error", step.similarity[c].standard_error()},
          {"count", step.similarity[c].count()}};
  }
  for (const Standing& standing : s.evaluation.standings) {
    const Method& method = *standing.contestant.method;
    Json scores = Json::object(), notes = Json::object();
    for (const Verdicts& v : standing.verdicts) {
      const bool any = v.tally.count() > 0;
      Json& score = scores[std::string(v.metric->name)];
      score = {{"mean", any ? Json(v.tally.mean()) : Json()},
               {"standard_error", any ? Json(v.tally.standard_error()) : Json()},
               {"count", v.tally.count()}};
      if (v.beats_baselines) score["beats_baselines"] = *v.beats_baselines;
      if (v.metric->passes_below && any) score["passes"] = v.tally.mean() < *v.metric->passes_below;
      for (const auto& [what, count] : v.notes)
        notes[std::string(v.metric->name)][s.labels.at(static_cast<size_t>(what.first))][what.second] = count;
    }
    methods.push_back({{"method", method.name},
                       {"baseline", standing.contestant.baseline},
                       {"summary", method.summary},
                       {"options", standing.contestant.options.all()},
                       {"scores", scores},
                       {"hits", notes},
                       {"milliseconds", standing.seconds * 1e3}});
  }
  for (const Skipped& one : s.skipped) skipped.push_back({{"method", one.method}, {"why", one.why}});
  return {{"loupe", LOUPE_VERSION},
          {"model", s.model},
          {"weights", s.weights.empty() ? Json("built in") : Json(valid_utf8(s.weights))},
          {"device", s.device},
          {"threads", s.threads},
          {"seed", s.seed},
          {"count", s.count},
          {"costly", s.costly},
          {"tolerance", s.settings.tolerance},
          {"part_tolerance", s.settings.part_tolerance},
          {"steps", s.settings.steps},
          {"draws", s.settings.draws},
          {"neighbours", s.settings.neighbours},
          {"radius", s.settings.radius},
          {"accuracy", s.evaluation.right.mean()},
          {"metrics", metrics},
          {"methods", methods},
          {"cascade", cascade},
          {"skipped", skipped},
          {"files", s.files},
          {"seconds", s.seconds}};
}

}  // namespace loupe
