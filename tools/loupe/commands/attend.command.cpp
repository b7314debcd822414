// `loupe attend`: what every head of a text model looks at.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "models/text/head_statistics.h"
#include "models/text/repeats.h"
#include "tools/loupe/attend/ids_file.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"
#include "tools/loupe/text_model_choice.h"

namespace loupe {
namespace {

struct Settings {
  TextModelChoice model;
  std::string ids, count = "5";
  bool statistics = false, profile = false, json = false;

  void add_to(CLI::App& app) {
    model.add_to(app);
    value_option(app, "--ids", ids, "FILE.json", "Sequences of tokens: [[504, 3575], [282]]", "What");
    flag_option(
        app, "--statistics", statistics,
        "Of every head: mass on the token before, the first, the same one before and what followed it, "
        "entropy, distance; no pattern is stored",
        "Results");
    flag_option(app, "--profile", profile, "With --json: also the mean attention at each offset", "Results");
    value_option(app, "--count", count, "N", "Heads that are printed for each (5)", "Results");
    flag_option(app, "--json", json, "All heads, for programs", "Results");
  }
};

constexpr std::pair<Statistic, const char*> kShown[] = {
    {Statistic::induction, "induction"}, {Statistic::previous, "previous"},
    {Statistic::duplicate, "duplicate"}, {Statistic::first, "first"},
    {Statistic::entropy, "entropy"},     {Statistic::distance, "distance"}};

std::string digits(double x) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3f", x);
  return text;
}

// Of each statistic the heads that have most of it.
std::string table_of(const TextModel& model, const HeadStatistics& all, int64_t count, size_t sequences) {
  Table table({{"most"}, {"heads"}}, 2);
  for (const auto& [statistic, name] : kShown) {
    std::vector<std::pair<double, Head>> heads;
    for (int64_t l = 0; l < model.config.layers; ++l)
      for (int64_t h = 0; h < model.config.heads; ++h)
        heads.emplace_back(all.of(statistic)[static_cast<size_t>(l)][static_cast<size_t>(h)], Head{l, h});
    std::ranges::stable_sort(heads, std::ranges::greater(), [](const auto& h) { return h.first; });
    if (std::ssize(heads) > count) heads.resize(static_cast<size_t>(count));
    std::string row;
    for (const auto& [score, head] : heads) row += padded(head.name() + " " + digits(score), 15);
    table.row({name, row});
  }
  double sum = 0;
  int64_t tokens = 0;
  for (const auto& losses : all.losses)
    for (const double loss : losses) sum += loss, ++tokens;
  return table.str() + "\n  mass of attention, in the mean over queries and " + std::to_string(sequences) +
         (sequences == 1 ? " sequence" : " sequences") + "; entropy in nats, distance in tokens" +
         (tokens > 0 ? "\n  loss of a token " + digits(sum / static_cast<double>(tokens)) + " nats" : "") +
         "\n";
}

nlohmann::ordered_json json_of(const HeadStatistics& all, bool profile) {
  nlohmann::ordered_json json{{"loss", all.losses}};
  for (const auto& [statistic, name] : kShown) json[name] = all.of(statistic);
  if (profile) json["profile"] = all.profile;
  return json;
}

void run(const Settings& s) {
  if (s.ids.empty()) throw UsageError("--ids is missing: a JSON file of sequences of tokens");
  if (!s.statistics) throw UsageError("--statistics is what can be asked of tokens");
  if (s.profile && !s.json) throw UsageError("--profile goes with --json");
  const int64_t count = parse_whole("--count", s.count, 1, 100'000);
  const std::vector<Ids> sequences = read_ids(s.ids);
  TextModel model = s.model.load();
  if (model.config.layers == 0) throw UsageError(model.network.name() + " has no attention");
  ProgressBar bar;
  const OnInterrupt watch;
  bar.begin("reading");
  const HeadStatistics all = head_statistics(model, sequences, {}, [&](double part) {
    if (OnInterrupt::came()) {
      bar.clear();
      throw Interrupted("stopped");
    }
    bar.update(part);
  });
  bar.clear();
  if (s.json) return print_json(json_of(all, s.profile));
  print(table_of(model, all, count, sequences.size()));
}

}  // namespace

extern const Command attend_command;
const Command attend_command{"attend", "What every head of a text model looks at", [](CLI::App& app) {
                               const auto s = std::make_shared<Settings>();
                               s->add_to(app);
                               return [s] { run(*s); };
                             }};

}  // namespace loupe
