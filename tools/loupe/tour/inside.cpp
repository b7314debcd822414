#include "tools/loupe/tour/inside.h"

#include <algorithm>

#include "engine/image/preprocess.h"
#include "engine/neurons/search.h"
#include "engine/neurons/ways_back.h"
#include "engine/run/passes.h"
#include "tools/loupe/features/features.h"
#include "tools/loupe/search/tiles.h"
#include "tools/loupe/visualize/recipe.h"

namespace loupe {
namespace {

constexpr int64_t kDrawings = 420, kFirst = 10'000;  // of each class thirty
constexpr int64_t kPatches = 6, kUnitsOfLayer = 2, kLastLayers = 3;
constexpr const char* kSteps = "64";

Tensor drawn(const ImageModel& network, uint64_t seed, int64_t index) {
  return preprocess(zoo::draw(seed, index, {.masks = false}).image, network.preprocessing);
}

int64_t class_of(const Hit& hit) { return zoo::class_of(std::stoll(hit.image)); }

// Every second class, the goose among them, so that their pictures fit into a row.
void classes(Tour& tour, ImageModel& network, ProgressBar& progress) {
  WantedChoice choice;
  for (int64_t cls = 1; cls < std::ssize(zoo::labels()); cls += 2)
    choice.classes += (cls > 1 ? "," : "") + std::to_string(cls);
  const Shape input = network.graph().input_shapes().at(0);
  RecipeChoice how;
  how.steps = kSteps;
  how.frames = "0";
  const std::vector<Visualized> made = make_pictures(
      network, choice.chosen(network, input), how.recipe(network, input), "", "", [](const auto&) {},
      progress);
  for (const Visualized& v : made)
    tour.classes.push_back(
        {.cls = *v.wanted.cls, .before = v.before, .after = v.after, .picture = v.picture});
}

// The channels of a layer whose patches agree most on a class, of different classes as far as there are.
std::vector<TourUnit> choose(const LayerHits& layer) {
  std::vector<TourUnit> all;
  for (size_t c = 0; c < layer.channels.size(); ++c) {
    if (layer.channels[c].empty()) continue;  // nothing excites it
    std::vector<int64_t> count(zoo::labels().size());
    for (const Hit& hit : layer.channels[c]) ++count[static_cast<size_t>(class_of(hit))];
    const auto most = std::ranges::max_element(count);
    all.push_back({.layer = layer.layer,
                   .channel = static_cast<int64_t>(c),
                   .cls = most - count.begin(),
                   .of_class = *most});
  }
  std::ranges::stable_sort(all, std::ranges::greater(), &TourUnit::of_class);
  std::vector<TourUnit> chosen;
  for (const bool any : {false, true})
    for (const TourUnit& u : all) {
      if (std::ssize(chosen) == kUnitsOfLayer) return chosen;
      const bool class_is_there = std::ranges::count(chosen, u.cls, &TourUnit::cls) > 0,
                 is_there = std::ranges::count(chosen, u.channel, &TourUnit::channel) > 0;
      if (any ? !is_there : !class_is_there) chosen.push_back(u);
    }
  return chosen;
}

void draw(TourUnit& unit, const std::vector<Hit>& hits, WaysBack& ways, ImageModel& network, NodeId layer,
          uint64_t seed) {
  std::vector<Tape> tapes;
  std::vector<UnitPlace> places;
  for (const Hit& hit : hits)
    tapes.push_back(Tape::record(network, drawn(network, seed, std::stoll(hit.image)), std::array{layer}));
  for (size_t i = 0; i < hits.size(); ++i) places.push_back({&tapes[i], unit.channel, hits[i].y, hits[i].x});
  const std::vector<Reconstruction> back = ways.run(places, deconvnet_rule());
  for (size_t i = 0; i < hits.size(); ++i) {
    const Image whole = zoo::draw(seed, std::stoll(hits[i].image), {.masks = false}).image;
    unit.patches.push_back(fitted(cut(whole, hits[i].crop), kTile));
    unit.back.push_back(fitted(reconstruction_picture(back[i], hits[i].crop), kTile));
  }
}

void units(Tour& tour, ImageModel& network, uint64_t seed, ProgressBar& progress) {
  std::vector<NodeId> layers = filter_layers(network.graph());
  if (std::ssize(layers) > kLastLayers) layers.erase(layers.begin(), layers.end() - kLastLayers);
  UnitSearch search(network, layers, kPatches);
  constexpr int64_t kStretch = 14;
  progress.begin("searching");
  for (int64_t begin = kFirst; begin < kFirst + kDrawings; begin += kStretch) {
    std::vector<Tensor> pictures;
    std::vector<std::string> names;
    for (int64_t i = begin; i < begin + kStretch; ++i)
      pictures.push_back(drawn(network, seed, i)), names.push_back(std::to_string(i));
    search.add(stack_rows(pictures), names);
    progress.update(static_cast<double>(begin + kStretch - kFirst) / kDrawings);
  }
  progress.clear();
  tour.searched = kDrawings;
  const Shape input = network.graph().input_shapes().at(0);
  for (size_t l = 0; l < layers.size(); ++l) {
    WaysBack ways(network, input, layers[l]);
    for (TourUnit& unit : choose(search.found()[l])) {
      draw(unit, search.found()[l].channels[static_cast<size_t>(unit.channel)], ways, network, layers[l],
           seed);
      tour.units.push_back(std::move(unit));
    }
  }
}

}  // namespace

void look_at_tokens(Tour& tour) {
  const std::vector<std::string> known = built_in_texts();
  if (known.empty()) return;
  TextModel model = load_text_named(known.front(), Device::cpu());
  constexpr int64_t kHalf = 24;  // its sequences have 64 tokens at most
  tour.induction = circuit_report(model, {.half = kHalf}, [](const std::string&, double) {});
}

void look_inside(Tour& tour, ImageModel& network, uint64_t seed, ProgressBar& progress) {
  classes(tour, network, progress);
  units(tour, network, seed, progress);
}

}  // namespace loupe
