// `loupe explain`: what in a picture speaks for a class. All names and options are checked before anything is
// computed; then images are read, explained and written one after another, so that a thousand need no more memory than
// one.
#include <algorithm>
#include <chrono>
#include <memory>

#include "engine/file/file.h"
#include "engine/run/switches.h"
#include "kernels/common/parallel.h"
#include "models/io/labels.h"
#include "tools/loupe/command.h"
#include "tools/loupe/explain/explained.h"
#include "tools/loupe/explain/run.h"
#include "tools/loupe/inputs.h"
#include "tools/loupe/interrupt.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/preprocessing_choice.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/targets.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Settings {
  std::vector<std::string> images;
  ModelChoice model;
  MethodChoice methods;
  PreprocessingChoice preprocessing;
  DeviceChoice device;
  WeightsChoice weights;
  TargetChoice target;
  std::string labels, out = "out", memory, threads;
  bool json = false, verbose = false, stop_on_error = false, checks = false, save_switches = false;

  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to explain", how = "How", results = "Results";
  argument(app, "IMAGE...", images,
           "JPEG, PNG, WebP, BMP or GIF pictures; or .npy or .safetensors files that hold a preprocessed "
           "tensor `input` (3, H, W)",
           what, Need::required);
  model.add_to(app, what);
  weights.add_to(app,
                 "safetensors file, or torch.save's, with torchvision's names (the zoo's are built in); or "
                 "`formula`: made-up weights, for a try without a file",
                 what);
  value_option(app, "--labels", labels, "FILE", "Names of the classes, one a line", what);
  target.add_to(app, what);
  preprocessing.add_to(app, "How photographs are prepared");
  methods.add_to(app, how);
  device.add_to(app, how);
  value_option(app, "--memory", memory, "BYTES",
               "Limit for activations, such as 512M; results do not depend on it (none)", how);
  value_option(app, "--threads", threads, "N",
               "Threads; results do not depend on it (OMP_NUM_THREADS, or all cores)", how);
  value_option(
      app, "--out", out, "DIR",
      "Folder for DIR/report.html, DIR/<picture>/<map>.png and DIR/<picture>/maps.safetensors; what an "
      "earlier run left there is replaced (out)",
      results);
  flag_option(app, "--checks", checks,
              "Check every map: what it leaves unexplained, what a network that learned nothing would show, "
              "and where "
              "there is one the completeness, a finite difference in double, CAM's identity",
              results);
  flag_option(
      app, "--save-switches", save_switches,
      "Also DIR/<picture>/switches.safetensors: of each window of the max pools where its maximum was, "
      "for `loupe lesson switches --switches`",
      results);
  flag_option(app, "--stop-on-error", stop_on_error,
              "Explain nothing unless all pictures can be read, rather than leave out those that cannot",
              results);
  flag_option(app, "--json", json, "Print a summary for programs, and nothing else", results);
  flag_option(app, "--verbose", verbose, "Print memory and times too", results);
}

// A layer's name that does not exist should not wait for the methods before it.
void check_layers(const std::vector<ChosenMethod>& methods, const Graph& graph) {
  for (const ChosenMethod& c : methods)
    for (const auto& [option, text] : c.options.all())
      if (option == "layer" && !text.empty()) graph.find(text);
}

// One image's tensor, which fits the network.
Tensor read_fitting(const std::string& path, const std::string& model, const Graph& graph,
                    const Preprocessing& how, Orientation orientation, std::span<const Asked> asked) {
  Tensor x = read_input(path, how, orientation);
  try {
    expect_fits(model, graph, x.shape());
    const std::vector<Shape> shapes = graph.shapes(x.shape());
    for (const Asked& a : asked) a.target.check(shapes[static_cast<size_t>(a.target.node(graph))]);
  } catch (const UsageError& e) {
    throw UsageError("'" + path + "': " + e.what());
  }
  return x;
}

// The network without its weights, made for the inputs that the options ask for, and as many classes as there are
// labels unless something else is said.
Model build_model(const Settings& s, int64_t labels) {
  const auto build = [&](int64_t height, int64_t width) {
    return s.model.build(height, width, s.weights.file, labels);
  };
  const auto size = s.preprocessing.input_size();
  Model model = build(0, 0);
  if (size) try {
      model = build(size->first, size->second);
    } catch (const UsageError& e) {
      throw UsageError(s.model.model + " cannot be made for inputs of " +
                       Pair(size->first, size->second).str() + " pixels: " + e.what());
    }
  model.preprocessing = s.preprocessing.applied(model.preprocessing);
  return model;
}

// The shape of every photograph's input, or where that is not known before they are read, the nominal one.
Shape likely_shape(const Graph& graph, const Preprocessing& how) {
  if (how.crop > 0) return {1, how.channels, how.crop, how.crop};
  if (how.stretched()) return {1, how.channels, how.stretch[0], how.stretch[1]};
  return graph.input_shapes().at(0);
}

ExplainRun prepare(const Settings& s) {
  // What needs no large file first.
  s.target.check();
  s.preprocessing.check();
  s.model.check_name();
  std::vector<std::string> labels;
  if (!s.labels.empty()) {
    labels = read_labels(s.labels);
    for (std::string& l : labels) l = valid_utf8(l);
  }
  Model model = build_model(s, std::ssize(labels));
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
  std::vector<Asked> asked = s.target.chosen(model.graph, labels, classes);
  if (s.target.unit.empty()) choose_layer(methods, s.target.layer);

  std::vector<Input> inputs = name_inputs(s.images);
  const Orientation orientation = s.preprocessing.orientation();
  Tensor first;
  if (inputs.size() == 1 || s.stop_on_error)
    for (const Input& i : inputs)
      first = read_fitting(i.path, s.model.model, model.graph, model.preprocessing, orientation, asked);
  if (inputs.size() > 1) first = {};

  ImageModel network = load_and_say(s.model.model, std::move(model), s.weights, device, s.device);
  network.labels = std::move(labels);
  network.network.memory_limit = memory;
  const Shape shape = first.defined() ? first.shape() : likely_shape(network.graph(), network.preprocessing);
  if (s.save_switches && regular_switches(network, shape, RegularSwitch::first).empty())
    throw UsageError(network.name() + " has no max pools, so it has no switches to save");
  std::vector<Skipped> skipped = leave_out_unsuited(methods, network, {&shape, 1}, s.methods.all());
  leave_out_unsuited(methods, network, asked, s.methods.all(), skipped);
  check_layers(methods, network.graph());
  return {std::move(network),
          s.weights.file,
          std::move(inputs),
          orientation,
          std::move(first),
          std::move(methods),
          std::move(skipped),
          s.methods.all(),
          std::move(asked),
          s.checks,
          {},
          s.save_switches};
}

// Memory of one image, as plans say it.
void count_memory(Explained& all, const Network& network) {
  if (all.images.empty()) return;
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

// Of many images only what the page that leads to them says, and --json prints, stays in memory. (`v = {}` would keep
// a vector's memory.)
void forget_pictures(ExplainedImage& image, bool methods_too) {
  image.photo = std::vector<uint8_t>();
  for (Answer& a : image.answers) {
    for (MethodResult& r : a.methods)
      for (DrawnMap& m : r.maps) m.png = std::vector<uint8_t>(), m.numbers.halves = std::vector<uint16_t>();
    if (methods_too) a.methods = std::vector<MethodResult>();
  }
  if (methods_too) image.top = std::vector<Verdict>();
}

// Explains what can be read, and notes what cannot.
void explain_all(ExplainRun& run, const Settings& s, Explained& all, OutputFolder& out) {
  ProgressBar progress;
  for (const Input& input : run.inputs) {
    stop_if_interrupted();
    Tensor x = std::move(run.first);
    run.first = {};
    std::vector<ChosenMethod> methods = run.methods;
    if (!x.defined()) try {
        x = read_fitting(input.path, all.model, run.network.graph(), run.network.preprocessing,
                         run.orientation, run.asked);
        const Shape shape = x.shape();
        for (const Skipped& k : leave_out_unsuited(methods, run.network, {&shape, 1}, run.may_skip))
          all.skipped.push_back({k.method, "'" + input.path + "': " + k.why});
      } catch (const Error& e) {
        all.failed.push_back({input.path, e.what()});
        continue;
      }
    all.images.push_back(explain_image(run, input, x, methods, all, out, progress));
    if (!s.json) print_image(all, all.images.back(), s.verbose);
    if (all.many()) forget_pictures(all.images.back(), !s.json);
  }
}

void publish_page(const Explained& all, OutputFolder& out) {
  if (all.images.empty()) return;
  out.publish("", {{kPageFile, [&](const OutputFolder::Path& path) {
                      write_text(path, all.many() ? contact_sheet(all) : report(all, all.images, false));
                    }}});
}

// The error of a run in which a method did not reach what was asked for, though all is written.
void complain_of_unmet(const Explained& all) {
  std::vector<std::string> unmet;
  for (const ExplainedImage& image : all.images)
    unmet.insert(unmet.end(), image.unmet.begin(), image.unmet.end());
  if (unmet.empty()) return;
  for (size_t i = 0; i + 1 < unmet.size(); ++i)
    std::fprintf(stderr, "loupe: %s\n", one_line(unmet[i]).c_str());
  throw Error(unmet.back());
}

// The error of a run that could not read all of its pictures; one that it is alone says the rest of the line.
void complain(const Explained& all) {
  if (all.failed.empty()) return complain_of_unmet(all);
  const auto done = std::ssize(all.images);
  if (all.failed.size() == 1 && done > 0)
    throw Error(
        all.failed[0].why +
        (done == 1 ? "; the other picture was" : "; the other " + std::to_string(done) + " pictures were") +
        " explained");
  for (const Failure& f : all.failed) std::fprintf(stderr, "loupe: %s\n", one_line(f.why).c_str());
  throw Error(std::to_string(all.failed.size()) + " of " + std::to_string(all.asked) +
              " pictures could not be explained");
}

void run_explain(const Settings& s) {
  const auto start = Clock::now();
  const OnInterrupt watch;
  OutputFolder out(s.out, is_earlier_result);
  ExplainRun run = prepare(s);
  Explained all{.model = run.network.name(),
                .weights = s.weights.file,
                .device = run.network.device().str(),
                .out = s.out,
                .threads = max_threads(),
                .memory_limit = run.network.network.memory_limit,
                .skipped = run.skipped,
                .asked = std::ssize(run.inputs)};
  if (const DeviceModule* module = run.network.device().module()) all.device_name = module->describe();
  try {
    explain_all(run, s, all, out);
  } catch (const Interrupted&) {
    publish_page(all, out);
    const std::string page = (std::filesystem::path(s.out) / kPageFile).string();
    throw Interrupted(all.images.empty()
                          ? "stopped before anything was written"
                          : "stopped after " + std::to_string(all.images.size()) + " of " +
                                std::to_string(all.asked) + " pictures; " + page + " shows them");
  } catch (const Error&) {
    publish_page(all, out);
    throw;
  }
  if (s.verbose || s.json) count_memory(all, run.network);
  publish_page(all, out);
  all.seconds = since(start);
  if (s.json)
    print_json_summary(all);
  else if (!all.images.empty())
    print_end(all, s.verbose);
  complain(all);
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
