// `loupe compare`: every method side by side, for one picture, two networks, or several classes; on one page.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/file/file.h"
#include "engine/image/overlay.h"
#include "engine/run/recall.h"
#include "models/io/labels.h"
#include "tools/loupe/command.h"
#include "tools/loupe/compare/compare.h"
#include "tools/loupe/explain/run.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr const char* kComparison = "compare.html";

struct NetworkChoice {
  ModelChoice model;
  WeightsChoice weights;
  std::string labels;
};

struct Settings {
  std::string image, classes, out = "comparison";
  NetworkChoice first, second;
  MethodChoice methods{"all"};
  DeviceChoice device;
  bool costly = false, json = false;

  void add_to(CLI::App& app);
};

void Settings::add_to(CLI::App& app) {
  const std::string what = "What to compare", how = "How", results = "Results";
  argument(app, "IMAGE", image,
           "A picture, or a file that holds a preprocessed tensor, as `loupe explain` takes them", what,
           Need::required);
  first.model.add_to(app, what);
  first.weights.add_to(app, "File with the weights, or `formula`", what);
  value_option(app, "--labels", first.labels, "FILE", "Names of the classes, one a line", what);
  second.model.model.clear();
  value_option(app, "--with", second.model.model, "MODEL", "A second network, in a column of its own (none)",
               what);
  value_option(app, "--with.weights", second.weights.file, "FILE", "Its weights", what);
  value_option(app, "--with.labels", second.labels, "FILE",
               "Its classes' names (those of --labels, if as many)", what);
  value_option(app, "--class", classes, "C",
               "Classes, as `loupe explain` takes them, A-B too: a column each (each network's likeliest)",
               what);
  methods.add_to(app, how);
  flag_option(app, "--costly", costly, "With --method all: those that take hundreds of passes, too", how);
  device.add_to(app, how);
  value_option(app, "--out", out, "DIR", "Folder for DIR/compare.html (comparison)", results);
  flag_option(app, "--json", json, "Print how far maps agree, for programs, and nothing else", results);
}

struct Opened {
  ImageModel network;
  std::string weights;
  std::vector<Asked> asked;
};

Opened open(const NetworkChoice& choice, const Settings& s, const std::vector<std::string>& other_labels,
            const Device& device) {
  choice.model.check_name();
  std::vector<std::string> labels;
  if (!choice.labels.empty()) {
    labels = read_labels(choice.labels);
    for (std::string& l : labels) l = valid_utf8(l);
  }
  Model model =
      models::build(choice.model.model, choice.model.options(0, 0, choice.weights.file, std::ssize(labels)));
  choice.weights.check(choice.model.model);
  const int64_t classes = model.graph.node(model.graph.output()).shape().back();
  if (!choice.labels.empty() && std::ssize(labels) != classes)
    throw UsageError("'" + choice.labels + "' holds " + std::to_string(labels.size()) +
                     " labels, but the model has " + std::to_string(classes) + " classes");
  if (labels.empty()) labels = model.labels;
  if (labels.empty() && std::ssize(other_labels) == classes) labels = other_labels;
  std::vector<Asked> asked{{}};
  if (!s.classes.empty()) asked = parse_classes(s.classes, labels, classes);
  ImageModel network = load_and_say(choice.model.model, std::move(model), choice.weights, device, s.device);
  network.labels = std::move(labels);
  return {std::move(network), choice.weights.file, std::move(asked)};
}

// The columns of one network, each a thing that is asked of it.
void add_sides(Comparison& all, Opened& opened, const std::vector<ChosenMethod>& methods) {
  ImageModel& network = opened.network;
  const Tensor x = read_input(all.image, network.preprocessing, Orientation{});
  expect_fits(network.name(), network.graph(), x.shape());
  const Tensor logits = network.logits(x);
  const std::vector<Verdict> ranking = rank(network, logits);
  const size_t begin = all.sides.size();
  std::vector<Target> targets;
  for (const Asked& asked : opened.asked) {
    auto [target, answer] = settle(asked, network, x, ranking);
    Side side{.network = network.name(), .weights = opened.weights, .input = x.shape()};
    side.photo = encode_png(to_image(x, network.preprocessing));
    side.top.assign(ranking.begin(), ranking.begin() + std::min<ptrdiff_t>(5, std::ssize(ranking)));
    side.answer = std::move(answer);
    all.sides.push_back(std::move(side));
    targets.push_back(std::move(target));
  }
  for (ChosenMethod chosen : methods) {
    std::optional<std::string> why = why_unsuited(*chosen.method, network, x.shape(), &chosen.options);
    fit(chosen, network, x.shape());
    const Recall recall(network.network);
    for (size_t i = 0; i < targets.size(); ++i) {
      Side& side = all.sides[begin + i];
      std::optional<std::string> here = why;
      if (!here && chosen.method->unsuited_target)
        here = chosen.method->unsuited_target(network, targets[i], chosen.options);
      if (here) {
        side.skipped.push_back({std::string(chosen.method->name), *here});
        continue;
      }
      const Question question{.model = network, .input = x, .target = targets[i], .logits = logits};
      Explanation found = chosen.method->run(question, chosen.options);
      side.answer.methods.push_back(drawn_by(chosen, question, found));
      std::vector<Plane>& planes = side.planes.emplace_back();
      for (const Map& map : found.maps)
        planes.push_back(
            to_pixels(reduce_channels(map.values, map.picture.style == Picture::Style::magnitude),
                      x.shape()[2], x.shape()[3], map.picture.grid));
    }
  }
}

void print_agreement(const Comparison& all, const std::string& page, bool json) {
  nlohmann::ordered_json document{{"loupe", LOUPE_VERSION}, {"image", valid_utf8(all.image)}, {"page", page}};
  for (const Side& side : all.sides)
    document["sides"].push_back({{"model", side.network},
                                 {"weights", side.weights},
                                 {"explained", side.answer.words},
                                 {"score", side.answer.score}});
  std::string lines;
  document["maps"] = nlohmann::ordered_json::array();
  for (const Method* method : all.methods)
    for (const Side& side : all.sides) {
      const MethodResult* r = result_of(side, *method);
      if (!r) continue;
      for (size_t map = 0; map < r->maps.size(); ++map) {
        const auto rho = agreement(all, *method, map);
        nlohmann::ordered_json row{{"method", method->name}, {"map", r->maps[map].name}};
        row["rank_correlation"] = rho ? nlohmann::ordered_json(*rho) : nlohmann::ordered_json();
        document["maps"].push_back(row);
        if (rho) lines += "  " + padded(r->maps[map].name, 24) + "  " + short_number(*rho) + "\n";
      }
      break;
    }
  if (json) return print_json(document);
  if (!lines.empty()) lines = "rank correlation of the two maps, over pixels:\n" + lines;
  print(lines + page + " shows it all\n");
}

void run_compare(const Settings& s) {
  if (s.second.model.model.empty() && !(s.second.weights.file.empty() && s.second.labels.empty()))
    throw UsageError("--with.weights and --with.labels are of the network that --with names");
  std::vector<ChosenMethod> methods = s.methods.chosen();
  OutputFolder out(s.out);
  Comparison all{.image = s.image};
  if (s.methods.all() && !s.costly)
    std::erase_if(methods, [&](const ChosenMethod& c) {
      if (c.method->costly)
        all.left_out.push_back(
            {std::string(c.method->name), "it takes hundreds of passes; --costly adds it"});
      return c.method->costly;
    });
  const Device device = s.device.open();
  {
    Opened first = open(s.first, s, {}, device);
    std::optional<Opened> second;
    if (!s.second.model.model.empty()) second.emplace(open(s.second, s, first.network.labels, device));
    add_sides(all, first, methods);
    if (second) add_sides(all, *second, methods);
  }
  for (const ChosenMethod& c : methods) {
    const auto suits = [&](const Side& side) { return result_of(side, *c.method) != nullptr; };
    if (std::ranges::any_of(all.sides, suits)) {
      all.methods.push_back(c.method);
      continue;
    }
    const std::string name(c.method->name);
    const auto& skipped = all.sides[0].skipped;
    const std::string why = std::ranges::find(skipped, name, &Skipped::method)->why;
    if (!s.methods.all()) throw UsageError("--method " + name + " does not suit: " + why);
    all.left_out.push_back({name, why});
  }
  if (all.methods.empty()) throw UsageError("no method suits");
  all.rules = rule_table(device);
  out.publish("", {{kComparison, [&](const OutputFolder::Path& path) {
                      const std::string page = comparison_page(all);
                      write_file(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()});
                    }}});
  print_agreement(all, (std::filesystem::path(s.out) / kComparison).string(), s.json);
}

}  // namespace

extern const Command compare_command{
    "compare", "Every method side by side on one page: for one picture, two networks, or several classes",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run_compare(*s); };
    }};

}  // namespace loupe
