// `loupe visualize`: pictures that make units of a network strong, by gradient ascent.
#include <filesystem>
#include <memory>

#include "kernels/common/parallel.h"
#include "models/io/labels.h"
#include "tools/loupe/command.h"
#include "tools/loupe/identity.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/options.h"
#include "tools/loupe/preprocessing_choice.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"
#include "tools/loupe/visualize/publish.h"
#include "tools/loupe/visualize/recipe.h"

namespace loupe {
namespace {

constexpr int64_t kViews = 32;  // of a judgement

struct Settings {
  ModelChoice model;
  WeightsChoice weights, judge_weights;
  PreprocessingChoice preprocessing;
  WantedChoice wanted;
  RecipeChoice recipe;
  DeviceChoice device;
  std::string labels, judge, memory, threads, out = "out";
  bool json = false;

  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to visualise", how = "How", results = "Results";
  model.add_to(app, what);
  weights.add_to(app, "File with the weights, or `formula`; the zoo's are built in", what);
  value_option(app, "--labels", labels, "FILE", "Names of the classes, one a line", what);
  wanted.add_to(app, what);
  recipe.add_to(app, how);
  preprocessing.add_to(app, "The network's input");
  device.add_to(app, how);
  value_option(app, "--memory", memory, "BYTES",
               "Limit for activations, such as 512M; results do not depend on it (none)", how);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it", how);
  value_option(
      app, "--judge", judge, "MODEL",
      "Another network of the same classes, which names moved views of the pictures, and of those of the "
      "plain form beside them",
      results);
  value_option(app, "--judge.weights", judge_weights.file, "FILE", "Its weights", results);
  value_option(
      app, "--out", out, "DIR",
      "Folder for DIR/<unit>.png, visualize.html, visualize.json, visualize.sheet.png and the animation "
      "visualize.ascent.png; a run that was stopped goes on (out)",
      results);
  flag_option(app, "--json", json, "Print the record, and nothing else", results);
}

ImageModel load(const Settings& s) {
  s.model.check_name();
  s.preprocessing.check();
  std::vector<std::string> labels;
  if (!s.labels.empty()) labels = read_labels(s.labels);
  for (std::string& l : labels) l = valid_utf8(l);
  const auto [height, width] = s.preprocessing.input_size().value_or(std::pair<int64_t, int64_t>{0, 0});
  Model model = s.model.build(height, width, s.weights.file, std::ssize(labels));
  s.weights.check(s.model.model);
  model.preprocessing = s.preprocessing.applied(model.preprocessing);
  const int64_t classes = model.graph.node(model.graph.output()).shape().back();
  if (labels.empty()) labels = model.labels;
  if (!s.labels.empty() && std::ssize(labels) != classes)
    throw UsageError("'" + s.labels + "' holds " + std::to_string(labels.size()) +
                     " labels, but the model has " + std::to_string(classes) + " classes");
  ImageModel network = load_and_say(s.model.model, std::move(model), s.weights, s.device.open(), s.device);
  network.labels = std::move(labels);
  return network;
}

void say(const Visualization& all, const std::string& out) {
  std::string text;
  for (const Visualized& u : all.units) {
    if (all.units.size() > 40 && !u.dead) continue;
    text += "  " + padded(u.wanted.words, 28) + "  ";
    text += u.dead ? "dead: nothing that was tried has any effect on it"
                   : short_number(u.before) + " → " + short_number(u.after);
    text += "\n";
  }
  const auto dead = std::ranges::count_if(all.units, &Visualized::dead);
  if (dead > 0)
    text += std::to_string(dead) + " of " + std::to_string(all.units.size()) +
            (dead == 1 ? " units is" : " units are") + " dead\n";
  if (const auto& j = all.judgement) {
    const auto count =
        std::to_string(std::ranges::count_if(j->right, [](const auto& r) { return r.has_value(); }));
    const auto line = [&](const auto& of) {
      return percent(j->share(of)) + " of views, " + std::to_string(j->pictures(of)) + " of " + count +
             " pictures";
    };
    text += j->model + " names right, of pictures moved by up to " + std::to_string(j->jitter) +
            " pixels:\n  these " + line(j->right) + "\n  plain gradient ascent's " + line(j->plain) + "\n";
  }
  print(text + (std::filesystem::path(out) / kVisualizePage).string() + " shows it all\n");
}

// The same classes by plain ascent, both sets shown to the judge.
Judgement judge(const Settings& s, ImageModel& network, const std::vector<Wanted>& wanted, const Shape& input,
                const Visualization& all, ProgressBar& progress) {
  ImageModel other = [&] {
    ModelChoice choice;
    choice.model = s.judge;
    return load_and_say(s.judge, choice.build(0, 0, s.judge_weights.file, network.classes()), s.judge_weights,
                        s.device.open(), s.device);
  }();
  const OnInterrupt watch;
  const Recipe plain = s.recipe.plain_form().recipe(network, input);
  const std::vector<Visualized> baseline = make_pictures(
      network, wanted, plain, "", "", [](const auto&) {}, progress);
  Judgement j{.model = other.name(),
              .views = kViews,
              .jitter = std::max<int64_t>(1, other.preprocessing.crop / 16),
              .right = {},
              .plain = {}};
  j.right = judged(other, all.units, j.views, j.jitter);
  j.plain = judged(other, baseline, j.views, j.jitter);
  return j;
}

void check_judge(const Settings& s) {
  if (s.judge.empty() && !s.judge_weights.file.empty())
    throw UsageError("--judge.weights are of the network that --judge names");
  if (s.judge.empty()) return;
  ModelChoice choice;
  choice.model = s.judge;
  choice.check_name();
  s.judge_weights.check(s.judge);
}

void run_visualize(const Settings& s) {
  s.recipe.check();
  check_judge(s);
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  OutputFolder out(s.out);
  ImageModel network = load(s);
  network.network.memory_limit = s.memory.empty() ? 0 : parse_bytes("--memory", s.memory);
  Shape input = network.graph().input_shapes().at(0);
  if (const auto size = s.preprocessing.input_size())
    input = input.with(2, size->first).with(3, size->second);
  if (input.rank() != 4) throw UsageError(network.name() + " takes no pictures");
  expect_fits(network.name(), network.graph(), input);
  const std::vector<Wanted> wanted = s.wanted.chosen(network, input);
  const Recipe recipe = s.recipe.recipe(network, input);
  Visualization all{.model = network.name(), .weights = s.weights.file};
  all.network = identity_of(network, Orientation::apply);
  all.steps = recipe.steps;
  all.settings = s.recipe.settings(recipe);
  ProgressBar progress;
  visualize(all, network, wanted, recipe, out, progress);
  if (!s.judge.empty()) {
    all.judgement = judge(s, network, wanted, input, all, progress);
    publish(all, out);
  }
  progress.clear();
  s.json ? print_json(visualize_record(all)) : say(all, s.out);
}

}  // namespace

extern const Command visualize_command{
    "visualize", "Pictures that make units of a network strong: what it looks for, by gradient ascent",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run_visualize(*s); };
    }};

}  // namespace loupe
