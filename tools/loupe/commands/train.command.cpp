// `loupe train`: teaches a network the zoo's classes from pictures that are drawn as it goes, or small models of
// tokens what brings forth induction heads. What it leaves in its folder can be stopped and taken up again, bit for bit.
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/file/atomic_file.h"
#include "engine/file/file.h"
#include "engine/training/initial_weights.h"
#include "engine/training/telemetry.h"
#include "kernels/common/parallel.h"
#include "models/io/checkpoint.h"
#include "models/io/safetensors.h"
#include "models/io/weights_file.h"
#include "models/text/sentences.h"
#include "models/zoo/pictures.h"
#include "tools/loupe/command.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_line.h"
#include "tools/loupe/text.h"
#include "tools/loupe/train/induction.h"
#include "tools/loupe/train/pooled_head.h"
#include "tools/loupe/zoo_test.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;
using Texts = std::map<std::string, std::string>;

// What decides about the result: options, and what a checkpoint remembers.
struct Knob {
  const char *name, *placeholder, *standard, *help;
};
constexpr Knob kKnobs[] = {
    {"steps", "N", "1200", "Steps of the whole schedule; of induction 1500"},
    {"batch", "N", "64", "Pictures of a step; of induction 32 sequences"},
    {"optimizer", "O", "adamw", "adamw or sgd"},
    {"rate", "R", "0.003", "The learning rate at its highest, of induction 0.005; then it falls as a cosine"},
    {"warmup", "N", "100", "Steps in which the rate rises to that"},
    {"final-fraction", "F", "0.01", "Share of the rate that is left at the last step"},
    {"weight-decay", "D", "0.01", "Of weights; biases and batch norms are left alone"},
    {"momentum", "M", "0.9", "Of sgd"},
    {"clip", "C", "5", "The gradient's norm is at most this, of induction 1; 0: no limit"},
    {"label-smoothing", "S", "0.1", "Share of the target that goes to all classes alike"},
    {"seed", "S", "1", "Of the first weights and of the pictures"},
    {"init", "W", "",
     "Begin with the weights in the file W (or built into Loupe: zoo) that have the same name and shape"},
};

TrainingSettings settings_of(const Texts& t) {
  const auto whole = [&](const std::string& name, int64_t least, int64_t most) {
    return parse_whole("--" + name, t.at(name), least, most);
  };
  const auto real = [&](const std::string& name, double least, double most) {
    return parse_real("--" + name, t.at(name), least, most);
  };
  TrainingSettings s;
  s.steps = whole("steps", 1, 100'000'000);
  s.batch = whole("batch", 1, 65536);
  s.optimizer = parse_optimizer(t.at("optimizer"));
  s.rate = real("rate", 0, 1000);
  s.warmup = whole("warmup", 0, s.steps);
  s.final_fraction = real("final-fraction", 0, 1);
  s.weight_decay = real("weight-decay", 0, 1000);
  s.momentum = real("momentum", 0, 1);
  s.clip = real("clip", 0, 1e30);
  s.label_smoothing = real("label-smoothing", 0, 0.99);
  return s;
}

struct Settings {
  std::string network, out, stop_after, checkpoint_every, test = "10000", test_seed = "2024", threads;
  std::string head, pictures, count;
  std::string layers, seeds, text, length;  // of induction
  Texts knobs;                              // those that were given
  DeviceChoice device;
  bool resume = false, json = false;

  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  argument(
      app, "NETWORK", network,
      "zoo, zoo_fc, or another architecture of `loupe models` that takes 64×64 pixels; or induction: small "
      "models of tokens, in those of two layers and more of which induction heads appear",
      "What to train", Need::required);
  value_option(
      app, "--head", head, "pooled",
      "Put global average pooling and a linear layer behind the network's trunk, which then --method cam "
      "suits, and teach that layer alone: the trunk keeps the weights of --init",
      "What to train");
  value_option(
      app, "--pictures", pictures, "DIR",
      "With --head: learn from the pictures in DIR/<class>/, a folder for each class, rather than the zoo; "
      "every fifth of a class is held out",
      "What to train");
  value_option(app, "--count", count, "N", "With --head: pictures of the zoo to learn from (2048)",
               "What to train");
  value_option(app, "--layers", layers, "N,…", "With induction: the models' layers (0,1,2,3)",
               "What to train");
  value_option(app, "--seeds", seeds, "S,…", "With induction: a model of each depth for each seed (1,2,3)",
               "What to train");
  value_option(app, "--text", text, "FILE",
               "With induction: the text to learn from, beside random repeats (sentences about the zoo)",
               "What to train");
  value_option(app, "--length", length, "N", "With induction: tokens of a sequence (64)", "What to train");
  for (const Knob& k : kKnobs)
    value_option(app, std::string("--") + k.name, knobs[k.name], k.placeholder,
                 std::string(k.help) + (*k.standard ? " (" + std::string(k.standard) + ")" : ""), "How");
  device.add_to(app, "Where");
  value_option(app, "--threads", threads, "N",
               "Threads; gradients may differ by roundings with them (all cores)", "Where");
  const std::string results = "Results";
  value_option(
      app, "--out", out, "DIR",
      "Folder for checkpoint.safetensors, telemetry.jsonl and, at the end, NETWORK.safetensors (f16) and "
      "NETWORK.json, the record (train-NETWORK)",
      results);
  flag_option(app, "--resume", resume,
              "Go on from DIR/checkpoint.safetensors, with the settings it was made with", results);
  value_option(app, "--checkpoint-every", checkpoint_every, "N",
               "Steps between two checkpoints (200; of induction 50)", results);
  value_option(app, "--stop-after", stop_after, "N", "Stop after N more steps, leaving a checkpoint",
               results);
  value_option(app, "--test", test, "N", "Fresh pictures to test the finished network on; 0: none (10000)",
               results);
  value_option(app, "--test-seed", test_seed, "S", "The set that they come from (2024)", results);
  flag_option(app, "--json", json, "Print the record, and nothing else", results);
}

// `others`: what stands in the place of a knob's standard.
Texts with_standards(const Texts& given, const Texts& others = {}) {
  Texts all;
  for (const Knob& k : kKnobs) {
    const auto found = given.find(k.name), other = others.find(k.name);
    all[k.name] = found != given.end() && !found->second.empty() ? found->second
                  : other != others.end()                        ? other->second
                                                                 : k.standard;
  }
  // A short schedule warms up for a tenth of it, unless it is told otherwise.
  const int64_t steps = parse_whole("--steps", all["steps"], 1, 100'000'000);
  const auto warmup = given.find("warmup");
  if ((warmup == given.end() || warmup->second.empty()) && steps < 1000)
    all["warmup"] = std::to_string(steps / 10);
  return all;
}

// A training that is under way.
struct Run {
  std::string network;
  Texts texts;  // every knob
  Model model;
  Trainer trainer;
  fs::path folder;

  std::string checkpoint() const { return (folder / "checkpoint.safetensors").string(); }
  std::string telemetry() const { return (folder / "telemetry.jsonl").string(); }
  Checkpoint state() const {
    Checkpoint c{.state = trainer.state(), .settings = texts};
    c.settings["network"] = network;
    return c;
  }
  void save() const { write_checkpoint(checkpoint(), state()); }
};

// Weights of another training, as far as they fit.
void take_over(std::map<std::string, Tensor>& weights, const std::string& from) {
  const WeightsFile file =
      models::has_built_in_weights(from) ? models::built_in_file(from) : WeightsFile::open(from);
  size_t taken = 0;
  for (auto& [name, tensor] : weights) {
    if (!file.contains(name) || file.info(name).shape != tensor.shape()) continue;
    tensor = file.tensor(name).to(Dtype::f32).clone();
    ++taken;
  }
  if (taken == 0) throw Error("--init: '" + from + "' holds no tensor of the network's names and shapes");
}

Run prepare(const Settings& s) {
  ModelChoice{s.network}.check_name();
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  const fs::path folder = s.out.empty() ? "train-" + s.network : s.out;
  const std::string file = (folder / "checkpoint.safetensors").string();
  Checkpoint last;
  if (s.resume) {
    if (!fs::exists(file))
      throw Error("there is no checkpoint '" + file + "' to go on from; without --resume, training begins");
    last = read_checkpoint(file);
    if (last.settings["network"] != s.network)
      throw UsageError("'" + file + "' is a checkpoint of " + last.settings["network"] + ", not of " +
                       s.network);
    for (const auto& [name, text] : s.knobs)
      if (!text.empty() && text != last.settings[name])
        throw UsageError("--" + name + " " + text + " does not go with --resume: '" + file +
                         "' was made with " + last.settings[name]);
  } else if (fs::exists(file)) {
    throw UsageError("'" + folder.string() +
                     "' holds a checkpoint: add --resume to go on from there, or give another --out");
  }
  const Texts texts = with_standards(s.resume ? last.settings : s.knobs);
  const auto seed = static_cast<uint64_t>(parse_whole("--seed", texts.at("seed"), 0, INT64_MAX));
  const auto classes = std::ssize(zoo::labels());
  Model model = models::build(s.network, {.classes = classes, .height = zoo::kSize, .width = zoo::kSize});
  expect_fits(s.network, model.graph, {1, 3, zoo::kSize, zoo::kSize});
  std::map<std::string, Tensor> weights = initial_weights(model.graph, seed);
  if (!s.resume && !texts.at("init").empty()) take_over(weights, texts.at("init"));
  const TrainingSettings settings = settings_of(texts);
  Trainer trainer(s.network, classification_graph(model.graph, settings.label_smoothing), std::move(weights),
                  s.device.open(), settings);
  if (s.resume) {
    try {
      trainer.restore(last.state);
    } catch (const Error& e) {
      throw Error("the checkpoint '" + file + "' does not fit " + s.network + ": " + e.what());
    }
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error("cannot make the folder '" + folder.string() + "': " + error.message());
  return {s.network, texts, std::move(model), std::move(trainer), folder};
}

std::string status(const StepReport& r, int64_t steps, double loss, double accuracy, double rate_of_images,
                   double left) {
  char text[160];
  std::snprintf(text, sizeof text,
                "step %lld/%lld  %s left  loss %.3f  accuracy %.1f %%  rate %.2g  %.0f images/s",
                static_cast<long long>(r.step + 1), static_cast<long long>(steps),
                short_seconds(left).c_str(), loss, 100 * accuracy, r.rate, rate_of_images);
  return text;
}

// A step, with its images_per_second counted from the end of the one before: waiting for the batch and
// writing a checkpoint take their time too.
StepReport timed_step(Run& run, Batches& batches, std::chrono::steady_clock::time_point& since) {
  try {
    StepReport r = run.trainer.step(batches.next());
    const auto now = std::chrono::steady_clock::now();
    r.images_per_second = static_cast<double>(run.trainer.settings().batch) /
                          std::chrono::duration<double>(now - since).count();
    since = now;
    return r;
  } catch (const Diverged& e) {
    throw Error(std::string(e.what()) + "; the last good checkpoint is kept in '" + run.checkpoint() +
                "': a lower --rate may help, with another --out");
  }
}

// Steps until the schedule ends, --stop-after or Ctrl-C; a checkpoint is left at each of these ends, and at
// the start, where a folder that cannot hold one is better noticed than later.
void train(Run& run, const Settings& s) {
  Trainer& trainer = run.trainer;
  const int64_t steps = trainer.settings().steps, batch = trainer.settings().batch,
                first = trainer.next_step();
  const int64_t every =
      s.checkpoint_every.empty() ? 200 : parse_whole("--checkpoint-every", s.checkpoint_every, 1, INT64_MAX);
  const int64_t end =
      s.stop_after.empty()
          ? steps
          : first + std::min(steps - first, parse_whole("--stop-after", s.stop_after, 1, INT64_MAX));
  const uint64_t set = zoo::training_set(std::stoull(run.texts.at("seed")));
  const Preprocessing how = run.model.preprocessing;
  if (first == 0) run.save();
  Telemetry telemetry(run.telemetry(), first);
  Batches batches([&](int64_t step) { return zoo::batch(set, step * batch, batch, how); }, first);
  ProgressLine line;
  const OnInterrupt watch;
  const auto start = std::chrono::steady_clock::now();
  auto since = start;
  std::optional<Checkpoint> due;  // written when the step after it has shown that its loss is finite
  double loss = 0, accuracy = 0;  // smoothed over some 20 steps
  while (trainer.next_step() < end && !OnInterrupt::came()) {
    const StepReport r = timed_step(run, batches, since);
    telemetry.write(r);
    if (due) write_checkpoint(run.checkpoint(), *due);
    due.reset();
    const double passed = std::chrono::duration<double>(since - start).count();
    const auto done = static_cast<double>(trainer.next_step() - first);
    const double keep = std::min(0.95, 1 - 1 / done);
    loss = keep * loss + (1 - keep) * r.loss;
    accuracy = keep * accuracy + (1 - keep) * r.accuracy;
    line.show(status(r, steps, loss, accuracy, done * static_cast<double>(batch) / passed,
                     passed / done * static_cast<double>(end - trainer.next_step())));
    if (trainer.next_step() % every == 0) due = run.state();
  }
  line.clear();
  run.save();
  if (!OnInterrupt::came() && trainer.next_step() == steps) return;
  const std::string where = "stopped after " + std::to_string(trainer.next_step()) + " of " +
                            std::to_string(steps) + " steps; `loupe train " + run.network + " --out " +
                            run.folder.string() + " --resume` goes on";
  if (OnInterrupt::came()) throw Interrupted(where);
  if (s.json)
    print_json({{"network", run.network},
                {"next_step", trainer.next_step()},
                {"steps", steps},
                {"checkpoint", run.checkpoint()}});
  else
    print(where + "\n");
}

// Of all steps, those of earlier runs too.
double training_seconds(const Run& run) {
  std::ifstream file(run.telemetry());
  double sum = 0;
  for (std::string line; std::getline(file, line);)
    sum += static_cast<double>(run.trainer.settings().batch) /
           nlohmann::json::parse(line).at("images_per_second").get<double>();
  return sum;
}

// The weights as they are shipped, and how they came about.
nlohmann::ordered_json finish(const Run& run, const Settings& s) {
  const std::string weights = (run.folder / (run.network + ".safetensors")).string();
  NamedTensors tensors;
  for (const auto& [name, tensor] : run.trainer.parameters()) tensors.emplace_back(name, tensor);
  std::string command = "loupe train " + run.network;
  for (const Knob& k : kKnobs)
    if (run.texts.at(k.name) != k.standard)
      command += std::string(" --") + k.name + " " + run.texts.at(k.name);
  write_safetensors_f16(weights, tensors, {{"command", command}, {"network", run.network}});

  nlohmann::ordered_json record{{"network", run.network}, {"command", command}, {"loupe", LOUPE_VERSION}};
  for (const Knob& k : kKnobs) record["settings"][k.name] = run.texts.at(k.name);
  record["threads"] = max_threads();
  record["seconds"] = std::round(100 * training_seconds(run)) / 100;
  record["weights"] = fs::path(weights).filename().string();
  record["weights_bytes"] = fs::file_size(weights);
  if (const int64_t count = parse_whole("--test", s.test, 0, INT64_MAX)) {
    ImageModel network = load_for_zoo({.model = run.network}, {.file = weights}, s.device);
    network.preprocessing = run.model.preprocessing;
    record["test"] = zoo_test(
        network, static_cast<uint64_t>(parse_whole("--test-seed", s.test_seed, 0, INT64_MAX)), count);
  }
  AtomicFile file((run.folder / (run.network + ".json")).string());
  file.write(record.dump(2) + "\n");
  file.commit();
  return record;
}

// --head: nothing to go on with, as it is a matter of a minute.
void run_head(const Settings& s, int64_t test, uint64_t test_seed) {
  if (s.head != "pooled") throw UsageError("--head takes pooled, not '" + s.head + "'");
  if (s.resume || !s.stop_after.empty())
    throw UsageError("--head pooled is learned in one go: --resume and --stop-after have no place in it");
  if (!s.pictures.empty() && !s.count.empty())
    throw UsageError(
        "--count is for the zoo's pictures: with --pictures all of the folder's are learned from");
  const ModelChoice network{.model = s.network, .head = s.head};
  network.check_name();
  network.build();  // says early what cannot have such a head
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  const Texts texts = with_standards(s.knobs);
  train_pooled_head({.network = s.network,
                     .init = texts.at("init"),
                     .pictures = s.pictures,
                     .count = s.count.empty() ? 2048 : parse_whole("--count", s.count, 1, 100'000'000),
                     .settings = settings_of(texts),
                     .seed = static_cast<uint64_t>(parse_whole("--seed", texts.at("seed"), 0, INT64_MAX)),
                     .device = s.device,
                     .out = s.out.empty() ? "train-" + s.network : s.out,
                     .test = test,
                     .test_seed = test_seed,
                     .json = s.json});
}

std::vector<int64_t> numbers(const std::string& option, const std::string& text, int64_t most) {
  std::vector<int64_t> all;
  for (const std::string& part : split_commas(text)) {
    all.push_back(parse_whole(option, part, 0, most));
    if (std::ranges::count(all, all.back()) > 1) throw UsageError(option + " names " + part + " twice");
  }
  return all;
}

std::string text_to_learn(const std::string& file) {
  if (file.empty()) return zoo_sentences(1, 400'000);
  try {
    const std::vector<uint8_t> bytes = read_file(file);
    return {bytes.begin(), bytes.end()};
  } catch (const Error& e) {
    throw Error("cannot read '" + file + "': " + e.what());
  }
}

void run_induction(const Settings& s) {
  for (const char* knob : {"seed", "init", "label-smoothing"})
    if (!s.knobs.at(knob).empty())
      throw UsageError(std::string("--") + knob + " is not for induction" +
                       (std::string(knob) == "seed" ? ", which takes --seeds" : ""));
  if (!s.head.empty() || !s.pictures.empty() || !s.count.empty())
    throw UsageError("--head, --pictures and --count are not for induction, which learns from tokens");
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  const Texts standards{{"steps", "1500"}, {"batch", "32"}, {"rate", "0.005"}, {"clip", "1"}};
  InductionTraining t{.layers = numbers("--layers", s.layers.empty() ? "0,1,2,3" : s.layers, 16),
                      .seeds = numbers("--seeds", s.seeds.empty() ? "1,2,3" : s.seeds, INT64_MAX),
                      .settings = {},
                      .texts = with_standards(s.knobs, standards),
                      .text = {},
                      .length = s.length.empty() ? 64 : parse_whole("--length", s.length, 32, 4096),
                      .width = 64,
                      .heads = 4,
                      .device = s.device,
                      .out = s.out.empty() ? "train-induction" : s.out,
                      .every = s.checkpoint_every.empty()
                                   ? 50
                                   : parse_whole("--checkpoint-every", s.checkpoint_every, 1, INT64_MAX),
                      .stop_after = {},
                      .resume = s.resume,
                      .json = s.json,
                      .command = "loupe train induction"};
  t.settings = settings_of(t.texts);
  if (!s.stop_after.empty()) t.stop_after = parse_whole("--stop-after", s.stop_after, 1, INT64_MAX);
  t.text = text_to_learn(s.text);
  for (const char* knob : {"seed", "init", "label-smoothing"}) t.texts.erase(knob);
  t.texts["length"] = std::to_string(t.length);
  t.texts["checkpoint-every"] = std::to_string(t.every);
  t.texts["text"] = s.text;
  for (const auto& [name, text] :
       {std::pair{"--layers", s.layers}, {"--seeds", s.seeds}, {"--length", s.length}, {"--text", s.text}})
    if (!text.empty()) t.command += std::string(" ") + name + " " + text;
  for (const Knob& k : kKnobs)
    if (const std::string& given = s.knobs.at(k.name); !given.empty())
      t.command += std::string(" --") + k.name + " " + given;
  train_induction(t);
}

void run_train(const Settings& s) {
  if (s.network == "induction") return run_induction(s);
  for (const auto& [name, text] :
       {std::pair{"--layers", s.layers}, {"--seeds", s.seeds}, {"--text", s.text}, {"--length", s.length}})
    if (!text.empty()) throw UsageError(std::string(name) + " goes with `loupe train induction`");
  const int64_t test = parse_whole("--test", s.test, 0, INT64_MAX);
  const auto test_seed = static_cast<uint64_t>(parse_whole("--test-seed", s.test_seed, 0, INT64_MAX));
  if (!s.checkpoint_every.empty()) parse_whole("--checkpoint-every", s.checkpoint_every, 1, INT64_MAX);
  if (!s.stop_after.empty()) parse_whole("--stop-after", s.stop_after, 1, INT64_MAX);
  if (!s.head.empty()) return run_head(s, test, test_seed);
  if (!s.pictures.empty() || !s.count.empty())
    throw UsageError("--pictures and --count go with --head pooled");
  Run run = prepare(s);
  train(run, s);
  if (run.trainer.next_step() < run.trainer.settings().steps) return;
  const auto record = finish(run, s);
  if (s.json) return print_json(record);
  print(run.network + " trained in " + short_seconds(record["seconds"].get<double>()) + "; weights in " +
        (run.folder / (run.network + ".safetensors")).string() + "\n");
  if (record.contains("test")) print(zoo_test_text(record["test"]));
}

}  // namespace

extern const Command train_command{
    "train",
    "Teaches a network the zoo's classes, or small models of tokens induction, from what is made on the way",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run_train(*s); };
    }};

}  // namespace loupe
