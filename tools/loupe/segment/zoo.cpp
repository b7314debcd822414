#include "tools/loupe/segment/zoo.h"

#include <algorithm>

#include "engine/exam/relevance.h"
#include "engine/segment/threshold.h"
#include "models/zoo/scene.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {
using json = nlohmann::ordered_json;

// Of one picture.
struct Overlap {
  int64_t cls;
  double cut;
  std::vector<double> by_threshold;
  int rounds = 0;
};

Overlap overlap(ImageModel& network, const ChosenMethod& method, const Scene& scene,
                const SegmentOptions& options) {
  const SceneObject& object = scene.objects.at(0);
  const Plane map = saliency(network, method, scene.input, object.cls, network.logits(scene.input));
  Overlap found{.cls = object.cls, .cut = 0, .by_threshold = iou_by_threshold(map, object.region)};
  std::vector<Seed> seeds;
  try {
    seeds = saliency_seeds(map, options.foreground, options.background);
  } catch (const UsageError&) {  // too flat
    return found;
  }
  const GrabCutResult cut = grab_cut(to_image(scene.input, network.preprocessing), seeds, options.cut);
  found.cut = iou(cut.mask, object.region);
  found.rounds = static_cast<int>(cut.rounds.size());
  return found;
}

double mean(const std::vector<Overlap>& all, int64_t cls,
            const std::function<double(const Overlap&)>& value) {
  double sum = 0;
  int64_t count = 0;
  for (const Overlap& o : all)
    if (cls < 0 || o.cls == cls) {
      sum += value(o);
      ++count;
    }
  return count ? sum / static_cast<double>(count) : 0;
}

}  // namespace

Plane saliency(ImageModel& network, ChosenMethod method, const Tensor& x, int64_t cls, const Tensor& logits) {
  fit(method, network, x.shape());
  const Explanation found =
      method.method->run({.model = network, .input = x, .target = cls, .logits = logits}, method.options);
  const Map* map = scored_map(found);
  if (!map)
    throw UsageError("--from " + std::string(method.method->name) +
                     ": its maps do not say what speaks for the class");
  return relevance(*map, x.shape()[2], x.shape()[3]);
}

json segment_zoo(ImageModel& network, const ChosenMethod& method, uint64_t seed, int64_t count,
                 const SegmentOptions& options) {
  ProgressBar progress;
  progress.begin("cutting out");
  std::vector<Overlap> all;
  for (int64_t i = 0; i < count; ++i) {
    all.push_back(overlap(network, method, zoo::scene(seed, i, 1, network.preprocessing), options));
    progress.update(static_cast<double>(i + 1) / static_cast<double>(count));
  }
  progress.clear();
  size_t best = 0;
  double best_mean = -1;
  for (size_t t = 0; t < kThresholds; ++t) {
    const double m = mean(all, -1, [&](const Overlap& o) { return o.by_threshold[t]; });
    if (m <= best_mean) continue;
    best_mean = m;
    best = t;
  }
  const auto row = [&](int64_t cls) {
    return json{{"grab_cut", mean(all, cls, [](const Overlap& o) { return o.cut; })},
                {"best_threshold", mean(all, cls, [&](const Overlap& o) { return o.by_threshold[best]; })}};
  };
  json scores{{"model", network.name()},
              {"method", method.method->name},
              {"count", count},
              {"seed", seed},
              {"threshold", static_cast<double>(best) / kThresholds},
              {"iou", row(-1)}};
  for (size_t c = 0; c < zoo::labels().size(); ++c)
    if (static_cast<int64_t>(c) < count) scores["classes"][zoo::labels()[c]] = row(static_cast<int64_t>(c));
  return scores;
}

std::string segment_zoo_text(const json& scores) {
  using Align = Table::Align;
  Table table(
      {{"class"}, {"GrabCut", Align::right}, {"best threshold", Align::right}, {"gain", Align::right}});
  const auto row = [&](const std::string& name, const json& r) {
    const double cut = r.at("grab_cut"), threshold = r.at("best_threshold");
    char text[3][32];
    std::snprintf(text[0], 32, "%.3f", cut);
    std::snprintf(text[1], 32, "%.3f", threshold);
    std::snprintf(text[2], 32, "%+.3f", cut - threshold);
    table.row({name, text[0], text[1], text[2]});
  };
  for (const auto& [name, r] : scores.at("classes").items()) row(name, r);
  table.line();
  row("all", scores.at("iou"));
  char text[400];
  std::snprintf(
      text, sizeof text,
      "\nmean intersection over union with the true masks, of %s pictures of the set %s, from maps by %s;\n"
      "the threshold, %.3f of a map's range, is the best for all of them together\n",
      with_commas(scores.at("count")).c_str(), std::to_string(scores.at("seed").get<uint64_t>()).c_str(),
      scores.at("method").get<std::string>().c_str(), scores.at("threshold").get<double>());
  return table.str() + text;
}

}  // namespace loupe
