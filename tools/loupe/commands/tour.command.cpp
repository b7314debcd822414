// `loupe tour`: the built-in network, looked at from all sides, as one page. Draws a few animals, explains
// what the network says about them with every method, and scores the methods by what is true.
#include <chrono>
#include <memory>

#include "engine/exam/parts.h"
#include "engine/exam/pointing.h"
#include "engine/exam/relevance.h"
#include "engine/exam/two_objects.h"
#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "kernels/common/parallel.h"
#include "models/zoo/scene.h"
#include "tools/loupe/command.h"
#include "tools/loupe/options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/print.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/scores/contestants.h"
#include "tools/loupe/text.h"
#include "tools/loupe/tour/inside.h"
#include "tools/loupe/tour/tour.h"

namespace loupe {
namespace {

struct Settings {
  DeviceChoice device;
  WeightsChoice weights;
  std::string out, threads, count = "8", scored = "14", seed = "1";
  bool json = false;

  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to show", how = "How", results = "Results";
  value_option(app, "--count", count, "N",
               "Pictures of one animal (8), of classes that differ as far as they can; and a quarter as many "
               "of two",
               what);
  value_option(app, "--scored", scored, "N",
               "Pictures that the methods are scored on (14); `loupe evaluate` takes its time for more",
               what);
  value_option(app, "--seed", seed, "S", "Which pictures (1): the same seed draws the same ones", what);
  weights.add_to(app,
                 "Other weights of the network zoo, safetensors or torch.save (those built in); or `formula`",
                 what);
  device.add_to(app, how);
  value_option(app, "--threads", threads, "N", "Threads; results do not depend on it", how);
  value_option(app, "--out", out, "DIR", "Folder for DIR/report.html (needed)", results);
  flag_option(app, "--json", json, "Print what the page shows for programs, and nothing else", results);
}

/// A method, and whether metrics can score its maps.
struct Guide {
  ChosenMethod chosen;
  bool scored = true;
};

/// A method with its defaults, but for what takes tens of passes or hundreds: too long for a tour, where fewer steps,
/// samples and places say as much.
ChosenMethod with_options(const Method& method) {
  ChosenMethod chosen{&method, Options(std::string(method.name), method.options)};
  for (const OptionSpec& o : method.options)
    for (const auto& [name, few] : {std::pair<const char*, int64_t>{"steps", 12}, {"samples", 4}})
      if (o.name == name && std::get<int64_t>(o.standard) > few)
        chosen.options.set(name, std::to_string(few));
  if (method.name == "occlusion") {
    chosen.options.set("window", "16");
    chosen.options.set("stride", "8");
  }
  return chosen;
}

/// Every pixel of a picture that overlay() enlarged, once.
Image as_drawn(const Image& large) {
  const int64_t factor = large.width / zoo::kSize;
  Image small{zoo::kSize, zoo::kSize, {}};
  for (int64_t y = 0; y < zoo::kSize; ++y)
    for (int64_t x = 0; x < zoo::kSize; ++x) {
      const uint8_t* p = large.pixel(y * factor, x * factor);
      small.rgb.insert(small.rgb.end(), p, p + 3);
    }
  return small;
}

Pointed pointed(const Plane& map, const Scene& scene, size_t object, const MetricSettings& settings) {
  const auto strongest = std::ranges::max_element(map.values) - map.values.begin();
  Pointed p{.y = strongest / map.width, .x = strongest % map.width};
  const SceneObject& own = scene.objects[object];
  if (scene.objects.size() == 1) {
    p.own = pointing(map, own.region, settings.tolerance);
  } else {
    const Sides at = sides(map, own.region, scene.objects[1 - object].region, settings.tolerance);
    p.own = at.own, p.other = at.other;
  }
  const PartHits parts = part_hits(map, own.parts, settings.part_tolerance);
  const auto best = std::ranges::max_element(parts.each);
  if (best != parts.each.end() && *best > 0.5)
    p.part = own.parts[static_cast<size_t>(best - parts.each.begin())].name;
  return p;
}

TourPicture look(ImageModel& network, const std::vector<Guide>& guides, uint64_t seed, int64_t index,
                 int objects, const MetricSettings& settings) {
  TourPicture picture{.index = index, .drawing = zoo::draw(seed, index, {.objects = objects})};
  const Scene scene = zoo::scene(seed, index, objects, network.preprocessing);
  const Tensor logits = network.logits(scene.input);
  picture.ranking = rank(network, logits);
  for (size_t object = 0; object < scene.objects.size(); ++object) {
    const int64_t cls = scene.objects[object].cls;
    AskedFor asked{.verdict = *std::ranges::find(picture.ranking, cls, &Verdict::index)};
    for (const Guide& g : guides) {
      const Method& method = *g.chosen.method;
      const Explanation found = method.run(
          {.model = network, .input = scene.input, .target = cls, .logits = logits}, g.chosen.options);
      const Map* map = g.scored ? scored_map(found) : &found.maps.at(0);
      Shown shown{.method = &method, .caption = map->caption};
      shown.png =
          encode_png(as_drawn(overlay(scene.input, map->values, map->picture, network.preprocessing)));
      if (g.scored) shown.pointed = pointed(relevance(*map, zoo::kSize, zoo::kSize), scene, object, settings);
      asked.maps.push_back(std::move(shown));
    }
    picture.asked.push_back(std::move(asked));
  }
  return picture;
}

// Of N pictures the k-th: of the first round of the classes, as far apart as they can be, or of later rounds.
int64_t index_of(int64_t k, int64_t count) {
  const auto classes = std::ssize(zoo::labels());
  return count < classes ? k * classes / count : k;
}

void run_tour(const Settings& s) {
  const auto start = std::chrono::steady_clock::now();
  if (s.out.empty()) throw UsageError("tour needs --out FOLDER");
  const int64_t count = parse_whole("--count", s.count, 1, 1000);
  Tour tour;
  Scores& scores = tour.scores;
  scores.count = parse_whole("--scored", s.scored, 1, 1'000'000);
  scores.costly = (scores.count + 3) / 4;
  scores.settings.steps = 16;
  scores.seed = static_cast<uint64_t>(parse_whole("--seed", s.seed, 0, INT64_MAX));
  if (!s.threads.empty()) set_threads(static_cast<int>(parse_whole("--threads", s.threads, 1, 1024)));
  s.weights.check("zoo");
  ImageModel network = load_for_zoo({.model = "zoo"}, s.weights, s.device);
  OutputFolder out(s.out);

  std::vector<ChosenMethod> methods;
  for (const Method* m : all_methods())
    if (!m->costly) methods.push_back(with_options(*m));
  const Scene any = zoo::scene(scores.seed, 0, 1, network.preprocessing);
  const std::vector<Contestant> everyone = contestants(network, methods, true, any, scores.skipped);
  std::vector<Guide> guides;
  leave_out_unsuited(methods, network, std::array{any.input.shape()}, true);
  for (ChosenMethod& m : methods) fit(m, network, any.input.shape());
  for (const ChosenMethod& m : methods)
    guides.push_back({m, std::ranges::count(everyone, m.method, &Contestant::method) > 0});

  scores.model = network.name();
  scores.weights = s.weights.file;
  scores.device = network.device().str();
  scores.threads = max_threads();
  scores.labels = zoo::labels();
  if (s.weights.file.empty()) {
    const models::TrainingRecord record = models::built_in_record("zoo");
    if (!record.summary.empty()) tour.record = nlohmann::ordered_json::parse(record.summary);
    tour.curve = training_curve(record.telemetry, 60);
  }
  for (NodeId id = 0; id < network.graph().size(); ++id)
    tour.parameters += learned_parameters(network.graph(), id);

  const auto classes = std::ssize(zoo::labels());
  for (int64_t cls = 0; cls < classes; ++cls)  // the second round of classes: the first is explained
    tour.strip.push_back(zoo::draw(scores.seed, classes + cls, {.masks = false}).image);
  ProgressBar progress;
  progress.begin("explaining");
  const int64_t two = std::max<int64_t>(1, count / 4);
  for (int64_t k = 0; k < count; ++k) {
    tour.alone.push_back(look(network, guides, scores.seed, index_of(k, count), 1, scores.settings));
    progress.update(static_cast<double>(k + 1) / static_cast<double>(count + 2 * two));
  }
  for (int64_t k = 0; k < two; ++k) {
    tour.together.push_back(look(network, guides, scores.seed, index_of(k, two) + 1, 2, scores.settings));
    progress.update(static_cast<double>(count + 2 * (k + 1)) / static_cast<double>(count + 2 * two));
  }
  progress.clear();
  look_inside(tour, network, scores.seed, progress);
  look_at_tokens(tour);

  const auto scoring = std::chrono::steady_clock::now();
  progress.begin("scoring");
  scores.evaluation = evaluate(
      network, everyone,
      {.scene = [&](int64_t index,
                    int objects) { return zoo::scene(scores.seed, index, objects, network.preprocessing); },
       .count = scores.count,
       .costly = scores.costly,
       .seed = scores.seed,
       .settings = scores.settings,
       .progress = [&](double part) { progress.update(part); }});
  progress.clear();
  const auto end = std::chrono::steady_clock::now();
  scores.seconds = std::chrono::duration<double>(end - scoring).count();
  tour.seconds = std::chrono::duration<double>(end - start).count();

  tour.report = (out.path() / "report.html").string();
  out.publish("", {{"report.html", [&](const OutputFolder::Path& path) {
                      const std::string page = tour_page(tour);
                      write_file(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
                    }}});
  if (s.json) return print_json(tour_json(tour));
  print(std::to_string(tour.alone.size() + tour.together.size()) + " drawn pictures, " +
        std::to_string(guides.size()) + " methods, scored on " + with_commas(scores.count) + " more, in " +
        short_seconds(tour.seconds) + "\n" + tour.report + " shows it all: open it in a browser\n");
}

}  // namespace

extern const Command tour_command;
const Command tour_command{"tour", "Shows it all on drawn animals whose truth is known, as one page",
                           [](CLI::App& app) {
                             const auto s = std::make_shared<Settings>();
                             s->add_to(app);
                             return [s] { run_tour(*s); };
                           }};

}  // namespace loupe
