#include "tools/loupe/train/induction.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/file/atomic_file.h"
#include "kernels/common/parallel.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void write_text(const fs::path& path, const std::string& text) {
  AtomicFile file(path.string());
  file.write(text);
  file.commit();
}

std::string formatted(const char* form, double a, double b = 0) {
  char text[80];
  std::snprintf(text, sizeof text, form, a, b);
  return text;
}

Json record_of(const InductionRun& run) {
  const InductionScores& last = run.scores.back();
  const std::optional<int64_t> formed = formed_at(run.scores);
  Json heads = Json::array();
  for (const HeadScores& h : last.heads)
    heads.push_back({{"head", h.name()},
                     {"prefix_matching", h.prefix_matching},
                     {"previous_token", h.previous_token},
                     {"copying", h.copying}});
  return {{"layers", run.layers},
          {"seed", run.seed},
          {"induction", formed.has_value()},
          {"formed_at", formed ? Json(*formed) : Json()},
          {"best_head", last.best() ? Json(last.best()->name()) : Json()},
          {"loss", last.loss},
          {"in_context", last.in_context},
          {"first", last.first},
          {"second", last.second},
          {"heads", heads},
          {"seconds", std::round(100 * run.seconds) / 100}};
}

// What all models have in common.
Json record_of(const InductionTraining& s) {
  const auto [late, early] = late_and_early(s.length);
  Json record{{"network", "induction"}, {"command", s.command}, {"loupe", LOUPE_VERSION}};
  for (const auto& [name, text] : s.texts) record["settings"][name] = text;
  record["threads"] = max_threads();
  record["criterion"] = {{"prefix_matching", kLeastMatching}, {"gain", kLeastGain}};
  record["in_context_tokens"] = {late, early};
  return record;
}

// A model's own record, beside its weights.
void write_record(const InductionTraining& s, const fs::path& folder, const InductionRun& run) {
  Json record = record_of(s);
  record.update(record_of(run));
  write_text(folder / ("induction" + std::to_string(run.layers) + ".json"), record.dump(2) + "\n");
}

fs::path folder_of(const InductionTraining& s, const InductionRun& run) {
  return s.out / ("layers" + std::to_string(run.layers) + "-seed" + std::to_string(run.seed));
}

std::string criterion() {
  return "A model has induction heads where a head's prefix-matching score is at least " +
         short_number(kLeastMatching) + " and the second half of held-out random repeats costs at least " +
         short_number(kLeastGain) + " nat a token less than the first.\n";
}

std::string line_of(const InductionRun& run) {
  const InductionScores& last = run.scores.back();
  const std::optional<int64_t> formed = formed_at(run.scores);
  std::string text = run_name(run) + ": " +
                     (formed ? "induction heads by step " + std::to_string(*formed) : "no induction heads");
  if (last.best())
    text += "; " + last.best()->name() + " matches prefixes " +
            formatted("%.3f, copies %+.3f", last.best()->prefix_matching, last.best()->copying);
  return text + formatted("; repeats %.3f → %.3f nats", last.first, last.second) +
         formatted(", in-context score %+.3f\n", last.in_context);
}

}  // namespace

std::string run_name(const InductionRun& run) {
  return std::to_string(run.layers) + (run.layers == 1 ? " layer" : " layers") + ", seed " +
         std::to_string(run.seed);
}

void train_induction(const InductionTraining& s) {
  std::vector<InductionRun> runs;
  for (const int64_t layers : s.layers)
    for (const int64_t seed : s.seeds) {
      runs.push_back({.layers = layers, .seed = seed});
      const fs::path there = folder_of(s, runs.back());
      if (!s.resume && fs::exists(there / "checkpoint.safetensors"))
        throw UsageError("'" + there.string() +
                         "' holds a checkpoint: add --resume to go on from there, or give another --out");
    }
  const OnInterrupt watch;
  ProgressLine line;
  int64_t left = s.stop_after.value_or(std::numeric_limits<int64_t>::max());
  if (!s.json) print(criterion());
  for (InductionRun& run : runs) {
    const InductionData data(s.text, s.length, s.settings.batch, static_cast<uint64_t>(run.seed));
    const bool done = train_one(s, data, run, left, line);
    line.clear();
    if (!done) {
      const std::string where =
          "stopped in the training of " + run_name(run) + "; the same command with --resume goes on";
      if (OnInterrupt::came()) throw Interrupted(where);
      if (s.json) return print_json({{"network", "induction"}, {"stopped_in", run_name(run)}});
      return print(where + "\n");
    }
    write_record(s, folder_of(s, run), run);
    if (!s.json) print(line_of(run));
  }
  Json record = record_of(s);
  for (const InductionRun& run : runs) record["models"].push_back(record_of(run));
  write_text(s.out / "induction.json", record.dump(2) + "\n");
  write_text(s.out / "induction.html", induction_page(s, runs));
  if (s.json) return print_json(record);
  print((s.out / "induction.html").string() + " shows how they came about\n");
}

}  // namespace loupe
