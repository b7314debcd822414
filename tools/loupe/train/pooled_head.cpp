#include "tools/loupe/train/pooled_head.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "engine/training/linear_head.h"
#include "models/io/safetensors.h"
#include "models/zoo/pictures.h"
#include "tools/loupe/command.h"
#include "tools/loupe/inputs.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_line.h"
#include "tools/loupe/text.h"
#include "tools/loupe/zoo_test.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

// What the trunk says of pictures, and what they show.
struct Samples {
  std::vector<float> features = {};
  std::vector<int64_t> classes = {};

  void add(Network& trunk, const Tensor& pictures, std::span<const int64_t> shown) {
    const Tensor found = features_of(trunk, trunk.graph().output(), pictures).to(Dtype::f32);
    const auto values = found.values<const float>();
    features.insert(features.end(), values.begin(), values.end());
    classes.insert(classes.end(), shown.begin(), shown.end());
  }
  Tensor tensor() const {
    const int64_t count = std::ssize(classes);
    return Tensor::from(std::span<const float>(features), {count, std::ssize(features) / count});
  }
};

struct Lesson {
  std::vector<std::string> labels;
  Samples learned, held_out;
};

void stop_if_asked() {
  if (OnInterrupt::came()) throw Interrupted("stopped before anything was written");
}

Lesson zoo_lesson(ImageModel& trunk, const HeadTraining& s, ProgressLine& line) {
  constexpr int64_t kStretch = 64;
  Lesson lesson{.labels = zoo::labels(), .learned = {}, .held_out = {}};
  for (int64_t first = 0; first < s.count; first += kStretch) {
    stop_if_asked();
    const Batch batch = zoo::batch(zoo::training_set(s.seed), first, std::min(kStretch, s.count - first),
                                   trunk.preprocessing);
    lesson.learned.add(trunk, batch.input, batch.classes);
    line.show(std::to_string(first) + " of " + std::to_string(s.count) + " pictures seen");
  }
  return lesson;
}

// The names of what is in a folder, in order; folders or files.
std::vector<std::string> names_in(const fs::path& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(".") || at->is_directory() != folders) continue;
    names.push_back(name);
  }
  if (error) throw Error("cannot read the folder '" + folder.string() + "': " + error.message());
  std::ranges::sort(names);
  return names;
}

// Every fifth picture of a class is held out, where there are five.
Lesson folder_lesson(ImageModel& trunk, const HeadTraining& s, ProgressLine& line) {
  constexpr size_t kHeldOut = 5;
  Lesson lesson{.labels = names_in(s.pictures, true), .learned = {}, .held_out = {}};
  if (lesson.labels.size() < 2)
    throw UsageError("--pictures: '" + s.pictures + "' holds " + std::to_string(lesson.labels.size()) +
                     " folders; each class has its pictures in one of its own, and there are at least two");
  for (size_t cls = 0; cls < lesson.labels.size(); ++cls) {
    const fs::path folder = fs::path(s.pictures) / lesson.labels[cls];
    const std::vector<std::string> files = names_in(folder, false);
    if (files.empty()) throw UsageError("--pictures: '" + folder.string() + "' holds no picture");
    for (size_t i = 0; i < files.size(); ++i) {
      stop_if_asked();
      const std::string path = (folder / files[i]).string();
      const Tensor x = read_input(path, trunk.preprocessing, Orientation::apply);
      const auto shown = static_cast<int64_t>(cls);
      (i % kHeldOut == kHeldOut - 1 ? lesson.held_out : lesson.learned).add(trunk, x, {&shown, 1});
      line.show(path);
    }
  }
  for (std::string& label : lesson.labels) label = one_line(valid_utf8(label));
  return lesson;
}

double accuracy(const LinearHead& head, const Samples& samples) {
  const Tensor x = samples.tensor();
  const int64_t size = x.shape()[1], classes = head.bias.numel();
  int64_t right = 0;
  for (int64_t n = 0; n < x.shape()[0]; ++n) {
    int64_t best = 0;
    double highest = 0;
    for (int64_t c = 0; c < classes; ++c) {
      double score = head.bias.item(c);
      for (int64_t k = 0; k < size; ++k) score += head.weight.item(c * size + k) * x.item(n * size + k);
      if (c == 0 || score > highest) best = c, highest = score;
    }
    right += best == samples.classes[static_cast<size_t>(n)];
  }
  return static_cast<double>(right) / static_cast<double>(x.shape()[0]);
}

ImageModel trunk_of(const HeadTraining& s) {
  const bool built_in = models::has_built_in_weights(s.init);  // by the name of a network
  const WeightsChoice weights{.file = built_in ? "" : s.init, .extra = "ignore"};
  if (s.init.empty() && !models::has_built_in_weights(s.network))
    throw UsageError("--head pooled needs --init: the trunk's weights, which stay as they are");
  const ModelChoice choice{.model = s.network};
  Model model = s.pictures.empty() ? choice.build(zoo::kSize, zoo::kSize, s.init, std::ssize(zoo::labels()))
                                   : choice.build(0, 0, s.init);
  model = models::with_pooled_head(std::move(model), 0);
  if (s.pictures.empty()) expect_fits(s.network, model.graph, {1, 3, zoo::kSize, zoo::kSize});
  if (built_in) {
    model.parameters =
        read_weights(s.network, model.graph, models::built_in_file(s.init), "the weights of " + s.init,
                     model.weight_names, weights.extra_tensors(), model.notes);
    model.has_weights = true;
  }
  return load_and_say(s.network, std::move(model), weights, s.device.open(), s.device);
}

}  // namespace

void train_pooled_head(const HeadTraining& s) {
  const OnInterrupt watch;
  ImageModel trunk = trunk_of(s);
  ProgressLine line;
  const Lesson lesson = s.pictures.empty() ? zoo_lesson(trunk, s, line) : folder_lesson(trunk, s, line);
  const LinearHead head = train_linear_head(
      lesson.learned.tensor(), lesson.learned.classes, std::ssize(lesson.labels), trunk.device(), s.settings,
      s.seed, [&](const StepReport& r) {
        stop_if_asked();
        line.show("step " + std::to_string(r.step + 1) + " of " + std::to_string(s.settings.steps));
      });
  line.clear();

  const fs::path folder = s.out;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error("cannot make the folder '" + folder.string() + "': " + error.message());
  const std::string weights = (folder / (s.network + ".safetensors")).string();
  NamedTensors tensors;
  for (const NodeId p : trunk.graph().parameters()) {
    const std::string& name = trunk.graph().node(p).name;
    tensors.emplace_back(name, trunk.network.parameter(name).to(Dtype::f32));
  }
  tensors.emplace_back("head.fc.weight", head.weight);
  tensors.emplace_back("head.fc.bias", head.bias);
  write_safetensors(weights, tensors, {{"network", s.network}, {"head", "pooled"}});
  std::string labels;
  for (const std::string& label : lesson.labels) labels += label + "\n";
  write_text(folder / "labels.txt", labels);

  nlohmann::ordered_json record{{"network", s.network},
                                {"head", "pooled"},
                                {"loupe", LOUPE_VERSION},
                                {"classes", lesson.labels},
                                {"pictures", lesson.learned.classes.size()},
                                {"steps", s.settings.steps},
                                {"seed", s.seed},
                                {"loss", head.loss},
                                {"accuracy", accuracy(head, lesson.learned)},
                                {"weights", fs::path(weights).filename().string()}};
  if (!lesson.held_out.classes.empty())
    record["held_out"] = {{"pictures", lesson.held_out.classes.size()},
                          {"accuracy", accuracy(head, lesson.held_out)}};
  if (s.pictures.empty() && s.test > 0) {
    ImageModel network = load_for_zoo({.model = s.network, .head = "pooled"}, {.file = weights}, s.device);
    network.preprocessing = trunk.preprocessing;
    record["test"] = zoo_test(network, s.test_seed, s.test);
  }
  write_text(folder / (s.network + ".json"), record.dump(2) + "\n");
  if (s.json) return print_json(record);
  print("a pooled head for " + s.network + " learned " + std::to_string(lesson.labels.size()) +
        " classes from " + with_commas(std::ssize(lesson.learned.classes)) + " pictures, of which it names " +
        percent(record["accuracy"]) + " right" +
        (record.contains("held_out")
             ? ", and " + percent(record["held_out"]["accuracy"]) + " of " +
                   std::to_string(lesson.held_out.classes.size()) + " that it had not seen"
             : "") +
        "\nloupe explain PICTURE --method cam --model " + s.network + " --head pooled --weights " + weights +
        " --labels " + (folder / "labels.txt").string() + "\n");
  if (record.contains("test")) print(zoo_test_text(record["test"]));
}

}  // namespace loupe
