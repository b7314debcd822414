// `loupe segment`: what is in front, cut out of pictures by saliency and colours; and how well that goes where the
// truth is known.
#include <algorithm>
#include <memory>

#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "kernels/common/parallel.h"
#include "models/io/labels.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/command.h"
#include "tools/loupe/inputs.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/preprocessing_choice.h"
#include "tools/loupe/print.h"
#include "tools/loupe/segment/pictures.h"
#include "tools/loupe/segment/zoo.h"
#include "tools/loupe/targets.h"
#include "tools/loupe/text.h"
#include "tools/loupe/verdict.h"

namespace loupe {
namespace {

using json = nlohmann::ordered_json;

struct Settings {
  std::vector<std::string> images;
  ModelChoice model;
  MethodChoice from;
  PreprocessingChoice preprocessing;
  DeviceChoice device;
  WeightsChoice weights;
  std::string labels, target, out = "out", threads, zoo, seed = "1";
  std::string foreground = "0.95", background = "0.30", components = "5", gamma = "10", rounds = "10";
  bool hard = false, all_parts = false, json = false;

  void add_to(CLI::App& app);
  SegmentOptions options() const;
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to cut out", how = "How", results = "Results";
  argument(app, "IMAGE...", images,
           "Pictures; or .npy or .safetensors files that hold a preprocessed tensor `input` (3, H, W)", what);
  model.add_to(app, what);
  weights.add_to(app, "safetensors file, or torch.save's, with torchvision's names (the zoo's are built in)",
                 what);
  value_option(app, "--labels", labels, "FILE", "Names of the classes, one a line", what);
  value_option(
      app, "--class", target, "C",
      "The class to cut out: its index, its label, or a part that no other label has (the likeliest)", what);
  value_option(app, "--zoo", zoo, "N",
               "Instead of pictures: N drawn ones whose masks are known; prints how well the segments agree "
               "with them, "
               "beside the best threshold of the maps",
               what);
  value_option(app, "--seed", seed, "S", "Which drawn pictures (1): the same seed draws the same ones", what);
  preprocessing.add_to(app, "How photographs are prepared");
  from.add_to(app, how, "--from");
  value_option(app, "--foreground", foreground, "Q",
               "Pixels of the map at or above this quantile are seeds of what is in front (0.95)", how);
  value_option(app, "--background", background, "Q", "At or below this one, of what is behind (0.30)", how);
  value_option(app, "--components", components, "N", "Gaussians of each mixture of colours (5)", how);
  value_option(app, "--gamma", gamma, "X", "How much a border costs against a colour that does not fit (10)",
               how);
  value_option(
      app, "--rounds", rounds, "N",
      "Rounds of assigning, learning and cutting, at most; it ends where the energy falls no further (10)",
      how);
  flag_option(app, "--hard-seeds", hard, "Seeds stay what they are, rather than only teach the first colours",
              how);
  flag_option(app, "--all-parts", all_parts,
              "Keep all that is in front, rather than the largest connected part", how);
  device.add_to(app, how);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it", how);
  value_option(app, "--out", out, "DIR",
               "Folder for DIR/<picture>/mask.png, cutout.png (transparent around it) and steps.png (out)",
               results);
  flag_option(app, "--json", json, "Print everything for programs, and nothing else", results);
}

SegmentOptions Settings::options() const {
  SegmentOptions o{.foreground = parse_real("--foreground", foreground, 0, 1),
                   .background = parse_real("--background", background, 0, 1),
                   .cut = {.components = static_cast<int>(parse_whole("--components", components, 1, 64)),
                           .gamma = parse_real("--gamma", gamma, 0, 1e6),
                           .rounds = static_cast<int>(parse_whole("--rounds", rounds, 0, 1000)),
                           .keep_seeds = hard,
                           .largest = !all_parts}};
  if (o.background >= o.foreground)
    throw UsageError("--background " + background + " is not below --foreground " + foreground);
  return o;
}

ChosenMethod one_method(const Settings& s) {
  const std::vector<ChosenMethod> methods = s.from.chosen();
  if (methods.size() != 1) throw UsageError("--from takes one method, not " + std::to_string(methods.size()));
  return methods[0];
}

void expect_suits(const ChosenMethod& method, const ImageModel& network, const Shape& input) {
  if (const auto why = why_unsuited(*method.method, network, input, &method.options))
    throw UsageError("--from " + std::string(method.method->name) + " does not suit " + network.name() +
                     ": " + *why);
}

// ---- the zoo

void run_zoo(const Settings& s) {
  if (!s.images.empty())
    throw UsageError("--zoo N draws its own pictures: give either N or pictures, not both");
  if (!s.target.empty())
    throw UsageError("--zoo N cuts out what is drawn in each picture: --class has no effect");
  const int64_t count = parse_whole("--zoo", s.zoo, 1, 1'000'000);
  const auto seed = static_cast<uint64_t>(parse_whole("--seed", s.seed, 0, INT64_MAX));
  const SegmentOptions options = s.options();
  const ChosenMethod method = one_method(s);
  s.model.check_name();
  s.weights.check(s.model.model);
  ImageModel network = load_for_zoo(s.model, s.weights, s.device);
  network.preprocessing.resize = network.preprocessing.crop = zoo::kSize;
  expect_suits(method, network, {1, 3, zoo::kSize, zoo::kSize});
  const json scores = segment_zoo(network, method, seed, count, options);
  s.json ? print_json(scores) : print(segment_zoo_text(scores));
}

// ---- pictures

ImageModel load(const Settings& s, std::optional<int64_t>& target) {
  std::vector<std::string> labels;
  if (!s.labels.empty()) labels = read_labels(s.labels);
  const auto build = [&](int64_t height, int64_t width) {
    return models::build(s.model.model, s.model.options(height, width, s.weights.file, std::ssize(labels)));
  };
  const auto size = s.preprocessing.input_size();
  Model model = size ? build(size->first, size->second) : build(0, 0);
  model.preprocessing = s.preprocessing.applied(model.preprocessing);
  const int64_t classes = model.graph.node(model.graph.output()).shape().back();
  if (labels.empty()) labels = model.labels;
  if (!s.labels.empty() && std::ssize(labels) != classes)
    throw UsageError("'" + s.labels + "' holds " + std::to_string(labels.size()) +
                     " labels, but the model has " + std::to_string(classes) + " classes");
  if (!s.target.empty()) {
    const std::vector<Asked> asked = parse_classes(s.target, labels, classes);
    if (asked.size() != 1 || !asked[0].cls)
      throw UsageError("--class takes one class to cut out, not '" + s.target + "'");
    target = asked[0].cls;
  }
  ImageModel network = load_and_say(s.model.model, std::move(model), s.weights, s.device.open(), s.device);
  network.labels = std::move(labels);
  return network;
}

json energies(const GrabCutResult& cut) {
  json rounds = json::array();
  for (const GrabCutRound& r : cut.rounds)
    rounds.push_back({{"assigned", r.assigned}, {"learned", r.learned}, {"cut", r.cut}});
  return {{"first_cut", cut.first}, {"rounds", rounds}, {"settled", cut.settled}};
}

// One picture: its files, and what is said of it.
json segment(const Settings& s, const SegmentOptions& options, ImageModel& network,
             const ChosenMethod& method, const Input& input, const Tensor& x, std::optional<int64_t> target,
             OutputFolder& out) {
  const Tensor logits = network.logits(x);
  const std::vector<Verdict> ranking = rank(network, logits);
  const Verdict& verdict = *std::ranges::find(ranking, target.value_or(ranking[0].index), &Verdict::index);
  const Plane map = saliency(network, method, x, verdict.index, logits);
  std::vector<Seed> seeds;
  try {
    seeds = saliency_seeds(map, options.foreground, options.background);
  } catch (const UsageError& e) {
    throw Error("'" + input.path + "': " + e.what());
  }
  const Image photo = to_image(x, network.preprocessing);
  const GrabCutResult cut = grab_cut(photo, seeds, options.cut);
  const Tensor plane = Tensor::from(std::span<const double>(map.values), {map.height, map.width});
  const Image over = overlay(x, plane, {.style = Picture::Style::evidence}, network.preprocessing);

  const std::filesystem::path folder = std::filesystem::path(s.out) / input.name;
  const auto writes = [](std::vector<uint8_t> bytes) {
    return [bytes = std::move(bytes)](const OutputFolder::Path& path) { write_file(path, bytes); };
  };
  out.publish(input.name, {{"mask.png", writes(encode_png(mask_picture(cut.mask)))},
                           {"cutout.png", writes(cut_out(photo, cut.mask))},
                           {"steps.png", writes(encode_png(steps_picture(photo, over, seeds, cut.mask)))}});
  json row{{"image", valid_utf8(input.path)},
           {"class", verdict.index},
           {"label", verdict.label},
           {"probability", verdict.probability},
           {"height", photo.height},
           {"width", photo.width},
           {"foreground_seeds", std::ranges::count(seeds, Seed::foreground)},
           {"background_seeds", std::ranges::count(seeds, Seed::background)},
           {"pixels", cut.mask.count()},
           {"energy", energies(cut)}};
  for (const char* name : {"mask", "cutout", "steps"})
    row[name] = (folder / (std::string(name) + ".png")).string();
  return row;
}

void print_picture(const json& row) {
  const auto& energy = row.at("energy");
  const double share =
      row.at("pixels").get<double>() / (row.at("height").get<double>() * row.at("width").get<double>());
  const size_t rounds = energy.at("rounds").size();
  const double last =
      rounds ? energy.at("rounds").back().at("cut").get<double>() : energy.at("first_cut").get<double>();
  std::string text = row.at("image").get<std::string>() + ": " + row.at("label").get<std::string>() + ", " +
                     percent(share) + " of the picture; energy " +
                     short_number(energy.at("first_cut").get<double>()) + " to " + short_number(last) +
                     " in " + std::to_string(rounds) + (rounds == 1 ? " round" : " rounds") +
                     (energy.at("settled").get<bool>() ? "" : ", still falling") + "\n";
  for (const char* name : {"mask", "cutout", "steps"}) text += "  " + row.at(name).get<std::string>() + "\n";
  print(text);
}

void run_pictures(const Settings& s) {
  if (s.images.empty()) throw UsageError("segment needs pictures, or --zoo N");
  const SegmentOptions options = s.options();
  const ChosenMethod method = one_method(s);
  s.preprocessing.check();
  s.model.check_name();
  s.weights.check(s.model.model);
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  OutputFolder out(s.out);
  std::optional<int64_t> target;
  ImageModel network = load(s, target);
  const std::vector<Input> inputs = name_inputs(s.images);
  const auto read = [&](const Input& input) {
    Tensor x = read_input(input.path, network.preprocessing, s.preprocessing.orientation());
    try {
      expect_fits(s.model.model, network.graph(), x.shape());
    } catch (const UsageError& e) {
      throw UsageError("'" + input.path + "': " + e.what());
    }
    return x;
  };
  for (const Input& input : inputs)
    expect_suits(method, network, read(input).shape());  // before the first is cut
  json rows = json::array();
  for (const Input& input : inputs) {
    rows.push_back(segment(s, options, network, method, input, read(input), target, out));
    if (!s.json) print_picture(rows.back());
  }
  if (s.json)
    print_json({{"model", network.name()},
                {"method", method.method->name},
                {"device", network.device().str()},
                {"images", rows}});
}

}  // namespace

extern const Command segment_command;
const Command segment_command{
    "segment", "Cuts out what a map says is in front, by its colours: masks and cut-outs as pictures",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { s->zoo.empty() ? run_pictures(*s) : run_zoo(*s); };
    }};

}  // namespace loupe
