// `loupe explain`: what in a picture speaks for a class. All names, options and files are checked before
// anything is computed; then images are explained and written one after another.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "kernels/common/parallel.h"
#include "models/io/labels.h"
#include "models/io/safetensors.h"
#include "tools/loupe/command.h"
#include "tools/loupe/explain/explained.h"
#include "tools/loupe/inputs.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/text.h"
#include "tools/loupe/verdict.h"

namespace loupe {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Settings {
  std::vector<std::string> images;
  ModelChoice model;
  MethodChoice methods;
  DeviceChoice device;
  WeightsChoice weights;
  std::string labels, target, out = "out", memory, threads;
  bool json = false, verbose = false;

  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to explain", how = "How", results = "Results";
  app.add_option("IMAGE...", images,
                 "JPEG or PNG pictures; or .npy or .safetensors files that hold a preprocessed tensor "
                 "`input` (3, H, W)")
      ->required()
      ->group(what);
  model.add_to(app, what);
  weights.add_to(app,
                 "safetensors file, or torch.save's, with torchvision's names (the zoo's are built in); or "
                 "`formula`: made-up weights, for a try without a file",
                 what);
  value_option(app, "--labels", labels, "FILE", "Names of the classes, one a line", what);
  value_option(
      app, "--class", target, "C",
      "The class to explain: its index, its label, or a part that no other label has (the likeliest)", what);
  methods.add_to(app, how);
  device.add_to(app, how);
  value_option(app, "--memory", memory, "BYTES",
               "Limit for activations, such as 512M; results do not depend on it (none)", how);
  value_option(app, "--threads", threads, "N",
               "Threads; results do not depend on it (OMP_NUM_THREADS, or all cores)", how);
  value_option(app, "--out", out, "DIR",
               "Folder for DIR/report.html, DIR/<picture>/<map>.png and DIR/<picture>/maps.safetensors (out)",
               results);
  app.add_flag("--json", json, "Print a summary for programs, and nothing else")->group(results);
  app.add_flag("--verbose", verbose, "Print memory and times too")->group(results);
}

// Everything that a run needs, checked.
struct Run {
  ImageModel network;
  std::string weights;
  std::vector<Input> inputs;
  std::vector<ChosenMethod> methods;
  std::vector<Skipped> skipped;
  std::optional<int64_t> target;  // none: each image's likeliest class
};

// A layer's name that does not exist should not wait for the methods before it.
void check_layers(const std::vector<ChosenMethod>& methods, const Graph& graph) {
  for (const ChosenMethod& c : methods)
    for (const auto& [option, text] : c.options.all())
      if (option == "layer" && !text.empty()) graph.find(text);
}

Run prepare(const Settings& s) {
  // What needs no large file first.
  s.model.check_name();
  std::vector<std::string> labels;
  if (!s.labels.empty()) {
    labels = read_labels(s.labels);
    for (std::string& l : labels) l = valid_utf8(l);
  }
  // As many classes as there are labels, unless something else is said.
  const int64_t wanted = s.model.classes.empty() ? std::ssize(labels) : s.model.class_count();
  Model model = models::build(s.model.model, {.classes = wanted});
  const int64_t classes = model.graph.node(model.graph.output()).shape().back();
  s.weights.check(s.model.model);
  std::vector<ChosenMethod> methods = s.methods.chosen();
  const Device device = s.device.open();
  const int64_t memory = s.memory.empty() ? 0 : parse_bytes("--memory", s.memory);
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));

  if (s.labels.empty()) labels = model.labels;
  if (!s.labels.empty() && std::ssize(labels) != classes)
    throw UsageError("'" + s.labels + "' holds " + std::to_string(labels.size()) +
                     " labels, but the model has " + std::to_string(classes) + " classes");
  std::optional<int64_t> target;
  if (!s.target.empty()) target = find_class(s.target, labels, classes);

  std::vector<Input> inputs = open_inputs(s.images);
  read_photographs(inputs, model.preprocessing);
  for (const Input& i : inputs) try {
      expect_fits(s.model.model, model.graph, i.tensor.shape());
    } catch (const UsageError& e) {
      throw UsageError("'" + i.path + "': " + e.what());
    }

  ImageModel network = load_and_say(s.model.model, std::move(model), s.weights, device, s.device);
  network.labels = std::move(labels);
  network.network.memory_limit = memory;
  std::vector<Shape> shapes;
  for (const Input& i : inputs)
    if (std::ranges::count(shapes, i.tensor.shape()) == 0) shapes.push_back(i.tensor.shape());
  std::vector<Skipped> skipped = leave_out_unsuited(methods, network, shapes, s.methods.all());
  check_layers(methods, network.graph());
  return {std::move(network), s.weights.file,     std::move(inputs),
          std::move(methods), std::move(skipped), target};
}

DrawnMap draw(const Map& map, const std::string& file, const Tensor& input, const Preprocessing& how) {
  DrawnMap d{.name = map.name,
             .caption = map.caption,
             .file = file,
             .shape = map.values.shape(),
             .style = map.picture.style};
  d.minimum = INFINITY;
  d.maximum = -INFINITY;
  for (int64_t i = 0; i < map.values.numel(); ++i) {
    d.minimum = std::min(d.minimum, map.values.item(i));
    d.maximum = std::max(d.maximum, map.values.item(i));
  }
  d.png = encode_png(overlay(input, map.values, map.picture, how));
  return d;
}

// Numbers in metadata are exact: they read back to the same double.
std::string exact(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

std::map<std::string, std::string> metadata(const ExplainedImage& image, const Run& run) {
  std::map<std::string, std::string> m{{"loupe", LOUPE_VERSION},
                                       {"image", valid_utf8(image.path)},
                                       {"model", run.network.name()},
                                       {"weights", valid_utf8(run.weights)},
                                       {"device", run.network.device().str()},
                                       {"class", std::to_string(image.target.index)},
                                       {"label", image.target.label},
                                       {"score", exact(image.target.score)},
                                       {"probability", exact(image.target.probability)}};
  for (const MethodResult& r : image.methods) {
    const std::string name(r.method->name);
    for (const auto& [option, text] : r.options) m[name + "." + option] = valid_utf8(text);
    for (const Check& c : r.checks) m["check." + name + "." + c.name] = exact(c.value);
  }
  return m;
}

ExplainedImage explain(Run& run, const Input& input, OutputFolder& out, ProgressBar& progress) {
  const auto start = Clock::now();
  ImageModel& network = run.network;
  ExplainedImage image{.path = input.path, .name = input.name, .input = input.tensor.shape()};

  const auto device_peak = [&] {
    return network.device().module() ? memory_count(network.device()).peak : 0;
  };
  reset_memory_peak();
  const Tensor logits = network.logits(input.tensor);
  image.peak_bytes = memory_count().peak;
  image.device_peak_bytes = device_peak();
  const std::vector<Verdict> ranking = rank(network, logits);
  image.top.assign(ranking.begin(), ranking.begin() + std::min<ptrdiff_t>(5, std::ssize(ranking)));
  image.target = *std::ranges::find(ranking, run.target.value_or(ranking[0].index), &Verdict::index);
  image.photo = encode_png(to_image(input.tensor, network.preprocessing));

  NamedTensors tensors{{"input", input.tensor.row(0)}, {"logits", logits.row(0).to(Dtype::f32)}};
  for (ChosenMethod chosen : run.methods) {
    fit(chosen, network, input.tensor.shape());
    const Method& method = *chosen.method;
    progress.begin(input.name + ": " + std::string(method.name));
    reset_memory_peak();
    const auto method_start = Clock::now();
    Explanation found = method.run({.model = network,
                                    .input = input.tensor,
                                    .target = image.target.index,
                                    .logits = logits,
                                    .progress = [&](double part) { progress.update(part); }},
                                   chosen.options);
    MethodResult result{.method = &method,
                        .options = chosen.options.all(),
                        .checks = std::move(found.checks),
                        .notes = std::move(found.notes),
                        .seconds = since(method_start),
                        .peak_bytes = memory_count().peak,
                        .device_peak_bytes = device_peak()};
    image.peak_bytes = std::max(image.peak_bytes, result.peak_bytes);
    image.device_peak_bytes = std::max(image.device_peak_bytes, result.device_peak_bytes);
    for (const Map& map : found.maps) {
      const std::string file = (found.maps.size() == 1 ? std::string(method.name) : map.name) + ".png";
      result.maps.push_back(draw(map, file, input.tensor, network.preprocessing));
      tensors.emplace_back(map.name, map.values.to(Dtype::f32));
    }
    image.methods.push_back(std::move(result));
    progress.clear();
  }

  std::vector<OutputFolder::File> files{{"maps.safetensors", [&](const OutputFolder::Path& path) {
                                           write_safetensors(path.string(), tensors, metadata(image, run));
                                         }}};
  for (const MethodResult& r : image.methods)
    for (const DrawnMap& map : r.maps)
      files.push_back({map.file, [&map](const OutputFolder::Path& path) { write_file(path, map.png); }});
  out.publish(input.name, files);
  image.seconds = since(start);
  return image;
}

// Memory of one image, as plans say it.
void count_memory(Explained& all, const Network& network) {
  const Graph& graph = network.graph();
  const Backend backend = network.device().backend;
  const std::vector<Shape> inputs{all.images.at(0).input};
  const Plan forward(graph, inputs, backend, {.values = {graph.output()}}, network.options());
  const Plan gradient(
      graph, inputs, backend,
      {.values = {graph.output()}, .from = graph.output(), .gradients = {graph.inputs().at(0)}},
      network.options());
  all.weight_bytes = network.packed_bytes();
  all.forward_bytes = forward.arena_bytes();
  all.gradient_bytes = gradient.arena_bytes();
  all.tape_bytes = gradient.tape_bytes();
}

void run_explain(const Settings& s) {
  const auto start = Clock::now();
  Run run = prepare(s);
  std::vector<std::string> names;
  for (const Input& i : run.inputs) names.push_back(i.name);
  OutputFolder out(s.out, names);

  Explained all{.model = run.network.name(),
                .weights = s.weights.file,
                .device = run.network.device().str(),
                .out = s.out,
                .threads = max_threads(),
                .memory_limit = run.network.network.memory_limit,
                .skipped = run.skipped};
  if (const DeviceModule* module = run.network.device().module()) all.device_name = module->describe();
  ProgressBar progress;
  for (Input& input : run.inputs) {
    all.images.push_back(explain(run, input, out, progress));
    input.tensor = {};
    if (!s.json) print_image(all, all.images.back(), s.verbose);
  }
  if (s.verbose || s.json) count_memory(all, run.network);
  out.publish("", {{"report.html", [&](const OutputFolder::Path& path) {
                      const std::string page = report(all);
                      write_file(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
                    }}});
  all.seconds = since(start);
  s.json ? print_json_summary(all) : print_end(all, s.verbose);
}

}  // namespace

extern const Command explain_command{
    "explain", "Shows what in a picture speaks for a class: maps as pictures, numbers and a report",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run_explain(*s); };
    }};

}  // namespace loupe
