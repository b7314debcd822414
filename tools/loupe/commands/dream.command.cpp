// `loupe dream`: a photograph in which a network is shown more of what it sees there.
#include <malloc.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/file/atomic_file.h"
#include "engine/file/file.h"
#include "engine/image/apng.h"
#include "engine/image/resize.h"
#include "engine/neurons/dream.h"
#include "kernels/common/parallel.h"
#include "models/io/labels.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/dream/goal.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/options.h"
#include "tools/loupe/preprocessing_choice.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

namespace fs = std::filesystem;

constexpr int kFrame = 80;  // milliseconds of a zoom's picture

struct Settings {
  std::string photo;
  ModelChoice model;
  WeightsChoice weights;
  PreprocessingChoice preprocessing;
  DeviceChoice device;
  DreamGoalChoice goal;
  std::string labels;
  std::string octaves, scale, steps = "10", rate, jitter, blur, seed = "1", longest, window, memory, threads;
  std::string zoom, zoom_by = "1.05", out = "dream.png";
  bool stills = false, json = false;

  void add_to(CLI::App& app);
  DreamOptions options() const;
  int64_t frames() const { return zoom.empty() ? 0 : parse_whole("--zoom", zoom, 1, 100'000); }
  double by() const { return parse_real("--zoom-by", zoom_by, 1.0001, 10); }
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to dream of", how = "How", results = "Results";
  argument(app, "PHOTO", photo, "The picture, of any size", what, Need::required);
  model.add_to(app, what);
  weights.add_to(app, "File with the weights, or `formula`; the zoo's are built in", what);
  value_option(app, "--labels", labels, "FILE", "Names of the classes, one a line", what);
  goal.add_to(app, what);
  value_option(app, "--octaves", octaves, "N",
               "Sizes, from small to the photograph's (until the shorter side is 160 pixels)", how);
  value_option(app, "--octave-scale", scale, "X", "How much larger each is than the one before (1.4)", how);
  value_option(app, "--steps", steps, "N", "Steps of each octave (10)", how);
  value_option(app, "--rate", rate, "R", "How far colours move in a step, on the average, of 255 (1.5)", how);
  value_option(app, "--jitter", jitter, "PX",
               "The picture is moved by up to so many pixels in each step (32)", how);
  value_option(app, "--blur", blur, "PX",
               "Deviation of a Gaussian over each step's gradient, against fine grain; 0: none (1)", how);
  value_option(app, "--seed", seed, "S", "Other moves; the same seed gives the same bytes (1)", how);
  value_option(app, "--longest", longest, "PX", "First shrink the photograph's longer side to this", how);
  value_option(
      app, "--window", window, "PX",
      "Side of the windows in which a layer sees a large picture; results do not depend on it (1024)", how);
  preprocessing.add_to(app, "The network's input");
  device.add_to(app, how);
  value_option(app, "--memory", memory, "BYTES",
               "Limit for the whole program, such as 512M; results do not depend on it (none)", how);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it", how);
  value_option(app, "--zoom", zoom, "N",
               "N pictures, each dreamt into the middle of the one before: FILE.png is an animated PNG",
               results);
  value_option(app, "--zoom-by", zoom_by, "X", "How much larger each shows it (1.05)", results);
  flag_option(app, "--stills", stills,
              "Of --zoom: FILE.0001.png, FILE.0002.png, … as they come, rather than one file", results);
  value_option(app, "--out", out, "FILE.png", "The picture, written whole or not at all (dream.png)",
               results);
  flag_option(app, "--json", json, "Print everything for programs, and nothing else", results);
}

DreamOptions Settings::options() const {
  DreamOptions o;
  if (!octaves.empty()) o.octaves = parse_whole("--octaves", octaves, 1, 100);
  if (!scale.empty()) o.scale = parse_real("--octave-scale", scale, 1.01, 100);
  o.steps = parse_whole("--steps", steps, 1, 1'000'000);
  if (!rate.empty()) o.rate = parse_real("--rate", rate, 1e-3, 255);
  if (!jitter.empty()) o.jitter = parse_whole("--jitter", jitter, 0, 4096);
  if (!blur.empty()) o.blur = parse_real("--blur", blur, 0, 100);
  if (!window.empty()) o.side = parse_whole("--window", window, 1, 65536);
  if (!memory.empty()) o.memory = std::max<int64_t>(1, parse_bytes("--memory", memory));
  return o;
}

ImageModel load(const Settings& s) {
  std::vector<std::string> labels;
  if (!s.labels.empty()) labels = read_labels(s.labels);
  for (std::string& l : labels) l = valid_utf8(l);
  const auto [height, width] = s.preprocessing.input_size().value_or(std::pair<int64_t, int64_t>{0, 0});
  Model model = s.model.build(height, width, s.weights.file, std::ssize(labels));
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

Image photograph(const Settings& s) {
  Image photo = read_image(s.photo, s.preprocessing.orientation());
  if (s.longest.empty()) return photo;
  const int64_t to = parse_whole("--longest", s.longest, 1, 65536),
                from = std::max(photo.height, photo.width);
  if (to >= from) return photo;
  const auto side = [&](int64_t n) { return std::max<int64_t>(1, (n * to + from / 2) / from); };
  return resize(photo, side(photo.width), side(photo.height), true);
}

// The middle, as large as the whole.
Image nearer(const Image& image, double by) {
  const auto height = std::llround(static_cast<double>(image.height) * by),
             width = std::llround(static_cast<double>(image.width) * by);
  const int64_t top = (height - image.height) / 2, left = (width - image.width) / 2;
  return {image.width, image.height,
          resize_window(image, height, width, {top, top + image.height}, {left, left + image.width}, true)};
}

std::string still(const std::string& out, int64_t frame) {
  std::string number = std::to_string(frame);
  number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
  fs::path path = out;
  return path.replace_extension(number + ".png").string();
}

struct Made {
  std::vector<std::string> files = {};
  std::string words;
  int64_t height = 0, width = 0;
  std::vector<Pair> octaves = {};
};

class Dreaming {
 public:
  explicit Dreaming(const Settings& s) : s_(s), options_(s.options()), draws_(s.seed, "--seed") {}

  Made run() {
    if (fs::path(s_.out).extension() != ".png")
      throw UsageError("--out is a file FILE.png, not '" + s_.out + "'");
    const int64_t frames = s_.frames();
    if (s_.stills && frames == 0) throw UsageError("--stills are of --zoom N");
    s_.by();
    write_test();
    Image image = photograph(s_);
    std::optional<ImageModel> network(load(s_));
    const ChosenDreamGoal goal = s_.goal.chosen(*network, s_.preprocessing.orientation());
    made_ = {.words = goal.words,
             .height = image.height,
             .width = image.width,
             .octaves = dream_octaves(image.height, image.width, options_)};
    bar_.begin(goal.words);
    if (frames == 0) {
      image = step(*network, goal.goal, std::move(image), "dream", 0, 1);
      network.reset();  // its memory goes to the encoder
      bar_.clear();
      write(s_.out, encode_png(image));
      return made_;
    }
    std::vector<Image> all;
    for (int64_t i = 0; i < frames; ++i) {
      if (i > 0) image = nearer(image, s_.by());
      image = step(*network, goal.goal, std::move(image), i == 0 ? "dream" : "dream" + std::to_string(i), i,
                   frames);
      s_.stills ? write(still(s_.out, i + 1), encode_png(image)) : all.push_back(image);
    }
    network.reset();
    bar_.clear();
    if (!s_.stills) write(s_.out, encode_apng(all, kFrame));
    return made_;
  }

 private:
  Image step(ImageModel& network, const DreamGoal& goal, Image photo, const std::string& name, int64_t i,
             int64_t count) {
    return dream(network, network.preprocessing, std::move(photo), goal, options_, draws_, name,
                 [&](double part) {
                   if (OnInterrupt::came()) {
                     bar_.clear();
                     throw Interrupted(made_.files.empty()
                                           ? "stopped; nothing was written"
                                           : "stopped after " + std::to_string(made_.files.size()) + " of " +
                                                 std::to_string(count) + " pictures, which are written");
                   }
                   bar_.update((static_cast<double>(i) + part) / static_cast<double>(count));
                 });
  }
  // Whether results can be written is known before hours of work.
  void write_test() const { const AtomicFile test(s_.stills ? still(s_.out, 1) : s_.out); }
  void write(const std::string& path, const std::vector<uint8_t>& bytes) {
    write_file(path, bytes);
    made_.files.push_back(path);
  }

  const Settings& s_;
  DreamOptions options_;
  Draws draws_;
  ProgressBar bar_;
  Made made_;
};

void run_dream(const Settings& s) {
  const OnInterrupt watch;
  s.options();
  s.model.check_name();
  s.preprocessing.check();
  s.weights.check(s.model.model);
#ifdef M_MMAP_THRESHOLD
  // Large blocks go back to the system as soon as they are freed, rather than leave holes.
  if (!s.memory.empty()) ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  const Made made = Dreaming(s).run();
  if (!s.json)
    return print("dreamt of " + made.words + " in " + std::to_string(made.octaves.size()) +
                 (made.octaves.size() == 1 ? " octave: " : " octaves: ") +
                 (made.files.size() == 1 ? made.files[0] : made.files.front() + " to " + made.files.back()) +
                 "\n");
  nlohmann::ordered_json record{{"photo", valid_utf8(s.photo)},
                                {"goal", valid_utf8(made.words)},
                                {"height", made.height},
                                {"width", made.width}};
  for (const Pair& p : made.octaves) record["octaves"].push_back({p.h, p.w});
  for (const std::string& file : made.files) record["files"].push_back(valid_utf8(file));
  print_json(record);
}

}  // namespace

extern const Command dream_command;
const Command dream_command{
    "dream", "A photograph in which a network is shown more of what it sees there: DeepDream, with zooms",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run_dream(*s); };
    }};

}  // namespace loupe
