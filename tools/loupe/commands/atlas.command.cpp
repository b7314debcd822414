// `loupe atlas`: what every unit of a network looks for, in one folder.
#include <algorithm>
#include <filesystem>

#include "kernels/common/suggest.h"
#include "models/io/labels.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/atlas/atlas.h"
#include "tools/loupe/command.h"
#include "tools/loupe/features/drawn.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"
#include "tools/loupe/visualize/recipe.h"

namespace loupe {
namespace {

struct Settings {
  SearchChoice search;
  RecipeChoice recipe;
  std::string labels, methods = "deconvnet,guided_backprop,gradient", parts = "features,visualize";
  void add_to(CLI::App& app);
  bool makes(const std::string& part) const { return std::ranges::count(split_commas(parts), part) > 0; }
};

void Settings::add_to(CLI::App& app) {
  argument(app, "FOLDER", search.folder, "Pictures, in all its folders", "What to look at");
  search.seed_help = "Which drawn pictures; of ascents another beginning and other views (1)";
  search.add_to(app);
  value_option(app, "--labels", labels, "FILE", "Names of the network's classes, one a line",
               "What to look at");
  value_option(app, "--parts", parts, "a,b",
               "Of features and visualize those to make; what is there of the other is used (both)", "How");
  value_option(
      app, "--method", methods, "a,b",
      "Ways back: deconvnet, guided_backprop and gradient, from the one activation alone (all three)", "How");
  recipe.add_form_to(app, "How pictures of units are made");
  value_option(
      app, "--out", search.out, "DIR",
      "Folder for DIR/atlas.html and DIR/atlas.json, and what they show: DIR/index.json, "
      "DIR/features/<layer>/<channel>.png, DIR/ascent/<layer>/<channel>.png; a run that was stopped or "
      "killed goes on there",
      "Results");
}

void check(const Settings& s) {
  if (!s.search.shard.empty()) throw UsageError("an atlas is of all pictures: it takes no --shard");
  const std::vector<std::string> known{"features", "visualize"};
  for (const std::string& part : split_commas(s.parts))
    if (!std::ranges::count(known, part))
      throw UsageError("--parts takes features and visualize, not '" + part + "'" +
                       did_you_mean(part, known));
  s.recipe.check();
}

std::vector<std::vector<Wanted>> wanted_units(const Search& search, const Recipe& recipe) {
  const Shape input = search.network.graph().input_shapes().at(0);
  std::vector<std::vector<Wanted>> all;
  for (const LayerHits& l : search.index.layers) {
    WantedChoice every;
    every.layer = l.layer;
    all.push_back(
        every.chosen(search.network, input.with(2, recipe.canvas.height).with(3, recipe.canvas.width)));
  }
  return all;
}

// What earlier runs made, of the same.
void take_what_is_there(Atlas& atlas, const std::vector<std::vector<Wanted>>& wanted) {
  for (size_t l = 0; l < atlas.search.layers.size(); ++l) {
    atlas.strips[l] = strips_are_there(atlas.search, l, atlas.ways, atlas.search.out / kStrips);
    atlas.ascents[l] = visualized_before(atlas.ascent, wanted[l], ascent_folder(atlas, l));
  }
}

void visualize_layers(Atlas& atlas, const std::vector<std::vector<Wanted>>& wanted, const Recipe& recipe,
                      ProgressBar& bar) {
  for (size_t l = 0; l < atlas.search.layers.size(); ++l) {
    if (!atlas.ascents[l].is_null()) continue;
    Visualization all = atlas.ascent;
    OutputFolder out(ascent_folder(atlas, l));
    visualize(all, atlas.search.network, wanted[l], recipe, out, bar);
    atlas.ascents[l] = visualize_record(all);
    write_atlas(atlas);
  }
}

std::string summary(const Atlas& atlas) {
  std::string text = words_of(atlas.search.index) + "\n";
  for (size_t l = 0; l < atlas.ascents.size(); ++l) {
    const std::vector<ChannelStatistics>& units = atlas.statistics[l];
    const auto silent =
        std::ranges::count_if(units, [](const ChannelStatistics& s) { return s.inactive == 1; });
    text += "  " + padded(atlas.search.index.layers[l].layer, 24) +
            padded(with_commas(std::ssize(units)), 6, true) + " units" +
            (silent ? ", " + with_commas(silent) + " silent" : "") + (atlas.strips[l] ? "" : "; no strips") +
            (atlas.ascents[l].is_null() ? "; no ascents" : "") + "\n";
  }
  return text + "  " + (atlas.search.out / kAtlasPage).string() + "\n";
}

void run(Settings& s) {
  check(s);
  s.recipe.seed = s.search.seed;
  s.recipe.frames = "0";
  std::vector<std::string> labels;
  if (!s.labels.empty()) labels = read_labels(s.labels);
  std::vector<Way> ways = ways_named(s.methods);
  ProgressBar bar;
  Atlas atlas{prepare_search(s.search)};
  ImageModel& network = atlas.search.network;
  if (!labels.empty() && std::ssize(labels) != network.classes())
    throw UsageError("'" + s.labels + "' holds " + std::to_string(labels.size()) +
                     " labels, but the model has " + std::to_string(network.classes()) + " classes");
  if (!labels.empty()) network.labels = labels;
  Shape input = network.graph().input_shapes().at(0);
  if (const auto size = s.search.preprocessing.input_size())
    input = input.with(2, size->first).with(3, size->second);
  const Recipe recipe = s.recipe.recipe(network, input);
  atlas.ascent = {.model = network.name(), .weights = s.search.weights.file};
  atlas.ascent.steps = recipe.steps;
  atlas.ascent.settings = s.recipe.settings(recipe);
  atlas.ascent.network = atlas.search.index.settings;
  atlas.ways = std::move(ways);
  atlas.strips.resize(atlas.search.layers.size());
  atlas.ascents.resize(atlas.search.layers.size());
  const std::vector<std::vector<Wanted>> wanted = wanted_units(atlas.search, recipe);
  run_search(atlas.search, bar);
  write_index(atlas.search.out, atlas.search.index);
  take_statistics(atlas, bar);
  take_what_is_there(atlas, wanted);
  write_atlas(atlas);
  if (s.makes("features")) {
    draw_features(atlas.search, atlas.ways, atlas.search.out / kStrips, bar, false);
    take_what_is_there(atlas, wanted);
    write_atlas(atlas);
  }
  if (s.makes("visualize")) visualize_layers(atlas, wanted, recipe, bar);
  print(summary(atlas));
}

}  // namespace

extern const Command atlas_command;
const Command atlas_command{
    "atlas", "Keeps in one folder what every unit looks for: pictures made, found and run back, and numbers",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->add_to(app);
      return [s] { run(*s); };
    }};

}  // namespace loupe
