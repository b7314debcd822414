// `loupe evaluate`: how good is each method, on pictures about which the truth is known?
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "kernels/common/parallel.h"
#include "models/zoo/scene.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/command.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/scores/contestants.h"
#include "tools/loupe/scores/scores.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  ModelChoice model;
  MethodChoice methods{"all"};
  DeviceChoice device;
  WeightsChoice weights;
  std::string out, threads, metrics = "standard";
  std::string count = "1000", costly, seed = "1", tolerance, part_tolerance, steps, cascade;
  bool json = false;

  void add_to(CLI::App& app);
};

std::string names_of_metrics() {
  std::vector<std::string> names;
  for (const Metric* m : all_metrics()) names.emplace_back(m->name);
  return join(names);
}

// In the order of the table, each once.
std::vector<const Metric*> chosen_metrics(const std::string& text) {
  const auto some = text == "standard" ? standard_metrics() : all_metrics();
  if (text == "standard" || text == "all") return {some.begin(), some.end()};
  std::vector<const Metric*> asked, chosen;
  for (const std::string& name : split_commas(text)) asked.push_back(&find_metric(name));
  for (const Metric* m : all_metrics())
    if (std::ranges::count(asked, m)) chosen.push_back(m);
  if (chosen.empty()) throw UsageError("--metric takes the names of metrics, `standard` or `all`");
  return chosen;
}

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to score", how = "How", results = "Results";
  methods.add_to(app, what);
  value_option(app, "--model", model.model, "M", "A network that tells the zoo's 14 classes apart (zoo)",
               what);
  value_option(app, "--head", model.head, "pooled", "The head that `loupe train --head pooled` taught it",
               what);
  weights.add_to(
      app, "Its weights, safetensors or torch.save (those built in); or `formula`: made-up ones, for a try",
      what);
  value_option(app, "--count", count, "N", "Pictures with one object (1000)", what);
  value_option(app, "--costly", costly, "N",
               "How many of them costly metrics (insertion, deletion, the untrained network, and most of "
               "those that are not "
               "standard) and costly methods look at, and pictures with two objects (a fifth of --count, 10 "
               "to 200); costly "
               "metrics look at a tenth of them for costly methods",
               what);
  value_option(app, "--seed", seed, "S", "Which pictures (1): the same seed draws the same ones", what);
  const MetricSettings standard;
  value_option(app, "--metric", metrics, "a,b",
               "Scores by name: " + names_of_metrics() + "; or `standard` or `all` (standard)", how);
  value_option(app, "--tolerance", tolerance, "X",
               "Pixels by which the strongest pixel may miss an object (" + short_number(standard.tolerance) +
                   ", as 15 of 224)",
               how);
  value_option(app, "--part-tolerance", part_tolerance, "X",
               "The same for its parts (" + short_number(standard.part_tolerance) + ")", how);
  value_option(app, "--steps", steps, "N",
               "Of insertion, deletion and pixel flipping (" + std::to_string(standard.steps) + ")", how);
  value_option(app, "--cascade", cascade, "N",
               "Also how alike maps stay while the network forgets layer by layer, for N pictures (none)",
               how);
  device.add_to(app, how);
  value_option(app, "--threads", threads, "N", "Threads; scores do not depend on it", how);
  value_option(app, "--out", out, "DIR", "Folder for DIR/scores.json and DIR/scores.svg (none)", results);
  flag_option(app, "--json", json, "Print everything for programs, and nothing else", results);
}

double parse_pixels(const std::string& option, const std::string& text, double standard) {
  return text.empty() ? standard : parse_real(option, text, 0, zoo::kSize);
}

/// Everything that a run needs, checked, before anything is computed.
struct Run {
  ImageModel network;
  std::vector<Contestant> contestants;
  Exam exam;
  int64_t cascade = 0;  // pictures
  Scores scores;
};

Run prepare(const Settings& s) {
  Scores scores;
  s.model.check_name();
  scores.count = parse_whole("--count", s.count, 1, 10'000'000);
  scores.costly = s.costly.empty() ? std::clamp<int64_t>(scores.count / 5, 10, 200)
                                   : parse_whole("--costly", s.costly, 0, 10'000'000);
  scores.costly = std::min(scores.costly, scores.count);
  scores.seed = static_cast<uint64_t>(parse_whole("--seed", s.seed, 0, INT64_MAX));
  scores.settings.tolerance = parse_pixels("--tolerance", s.tolerance, scores.settings.tolerance);
  scores.settings.part_tolerance =
      parse_pixels("--part-tolerance", s.part_tolerance, scores.settings.part_tolerance);
  if (!s.steps.empty()) scores.settings.steps = parse_whole("--steps", s.steps, 1, 4096);
  const int64_t cascade = s.cascade.empty() ? 0 : parse_whole("--cascade", s.cascade, 1, 100'000);
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  s.weights.check(s.model.model);
  std::vector<ChosenMethod> methods = s.methods.chosen();
  std::vector<const Metric*> metrics = chosen_metrics(s.metrics);

  ImageModel network = load_for_zoo(s.model, s.weights, s.device);
  // Other networks see the whole picture, too: none of it is cut off.
  network.preprocessing.resize = network.preprocessing.crop = zoo::kSize;

  std::vector<Contestant> everyone =
      contestants(network, std::move(methods), s.methods.all(),
                  zoo::scene(scores.seed, 0, 1, network.preprocessing), scores.skipped);
  scores.model = network.name();
  scores.weights = s.weights.file;
  scores.device = network.device().str();
  scores.threads = max_threads();
  scores.labels = zoo::labels();
  Exam exam{.scene = [seed = scores.seed, how = network.preprocessing](
                         int64_t index, int objects) { return zoo::scene(seed, index, objects, how); },
            .count = scores.count,
            .costly = scores.costly,
            .seed = scores.seed,
            .settings = scores.settings,
            .metrics = std::move(metrics)};
  return {std::move(network), std::move(everyone), std::move(exam), cascade, std::move(scores)};
}

void run_evaluate(const Settings& s) {
  const auto start = std::chrono::steady_clock::now();
  // A folder that cannot be written to is found before the work, not after it.
  std::optional<OutputFolder> out;
  Run run = prepare(s);
  if (!s.out.empty()) out.emplace(s.out);

  ProgressBar progress;
  const auto methods = std::ranges::count(run.contestants, false, &Contestant::baseline);
  progress.begin("scoring " + std::to_string(methods) + (methods == 1 ? " method" : " methods"));
  run.exam.progress = [&](double part) { progress.update(part); };
  Scores& scores = run.scores;
  scores.evaluation = evaluate(run.network, run.contestants, run.exam);
  if (run.cascade) {
    progress.begin("forgetting layer by layer");
    scores.cascade = cascade(
        run.network, run.contestants, [&](int64_t i) { return run.exam.scene(i, 1); }, run.cascade,
        scores.seed, [&](double part) { progress.update(part); });
  }
  progress.clear();
  scores.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  if (out) {
    for (const char* name : {"scores.json", "scores.svg"})
      scores.files.push_back((out->path() / name).string());
    const auto writes = [](const std::string& text) {
      return [text](const OutputFolder::Path& path) {
        write_file(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      };
    };
    out->publish("", {{"scores.json", writes(scores_json(scores).dump(2) + "\n")},
                      {"scores.svg", writes(scores_plot(scores))}});
  }
  s.json ? print_json(scores_json(scores)) : print(scores_text(scores));
}

}  // namespace

extern const Command evaluate_command{
    "evaluate", "Scores methods on drawn pictures whose truth is known, beside two baselines",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run_evaluate(*s); };
    }};

}  // namespace loupe
