#include <algorithm>
#include <set>

#include "kernels/common/suggest.h"
#include "tools/loupe/file_name.h"
#include "tools/loupe/options.h"
#include "tools/loupe/targets.h"
#include "tools/loupe/text.h"
#include "tools/loupe/visualize/visualization.h"

namespace loupe {

namespace {
constexpr const char* kAll = "all";

std::vector<Wanted> of_classes(const std::string& text, const ImageModel& model) {
  const int64_t count = model.classes();
  std::vector<Wanted> all;
  if (text == kAll) {
    std::set<std::string> names;
    for (int64_t c = 0; c < count; ++c) {
      std::string name = std::ssize(model.labels) == count ? model.label(c) : std::to_string(c);
      if (!names.insert(name).second) name += " " + std::to_string(c);  // ImageNet has two cranes
      all.push_back({{name, {{1.0, Target(c)}}}, model.label(c), c});
    }
    return all;
  }
  for (const Asked& asked : parse_classes(text, model.labels, count))
    all.push_back({{asked.text, {{1.0, asked.target}}},
                   asked.cls ? model.label(*asked.cls) : asked.target.words(),
                   asked.cls});
  return all;
}

// The mean over its places, so that layers of any size count alike.
double weight_of(const Shape& shape, bool placed) {
  if (placed || shape.rank() == 2) return 1;
  return 1.0 / static_cast<double>(shape.rank() == 4 ? shape[2] * shape[3] : shape[1]);
}

struct Layer {
  std::string name;
  NodeId node;
  Shape shape;
  int64_t channels() const { return shape.rank() == 4 ? shape[1] : shape[shape.rank() - 1]; }

  Wanted unit(const std::string& text) const {
    const auto [channel, place] = parse_unit(text);
    const Target target = Target::unit(channel, place).of(node);
    try {
      target.check(shape);
    } catch (const UsageError& e) {
      throw UsageError(name + ": " + e.what());
    }
    return {{text, {{weight_of(shape, place.has_value()), target}}}, name + ", " + target.words()};
  }
  // "0-15"; "all"; "C" or "C,y,x".
  void add(const std::string& text, std::vector<Wanted>& to) const {
    const size_t dash = text.find('-', 1);
    if (text != kAll && dash == text.npos) return to.push_back(unit(text));
    int64_t first = 0, last = channels() - 1;
    if (text != kAll) {
      first = parse_whole("--unit", text.substr(0, dash), 0, channels() - 1);
      last = parse_whole("--unit", text.substr(dash + 1), first, channels() - 1);
    }
    for (int64_t c = first; c <= last; ++c) to.push_back(unit(std::to_string(c)));
  }
};

// From the first to the second, ends included. All begin alike, so that what differs is what is asked for.
std::vector<Wanted> blends(const std::vector<Wanted>& ends, int64_t count) {
  std::vector<Wanted> all;
  for (int64_t i = 0; i < count; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(count - 1);
    const std::string percent = std::to_string(std::lround(100 * part));
    Wanted blend{{.name = ends[0].objective.name + " to " + ends[1].objective.name + " " + percent,
                  .parts = {},
                  .draws = ends[0].objective.name + " to " + ends[1].objective.name},
                 percent + " % of the way from " + ends[0].words + " to " + ends[1].words};
    for (size_t e = 0; e < 2; ++e)
      for (const auto& [weight, target] : ends[e].objective.parts)
        blend.objective.parts.emplace_back(weight * (e == 0 ? 1 - part : part), target);
    all.push_back(std::move(blend));
  }
  return all;
}

std::vector<Wanted> repeated(const std::vector<Wanted>& wanted, int64_t times) {
  std::vector<Wanted> all;
  for (size_t i = 0; i < wanted.size(); ++i)
    for (int64_t k = 1; k <= times; ++k) {
      Wanted w = wanted[i];
      w.objective.set = static_cast<int64_t>(i);
      w.objective.name += " " + std::to_string(k);
      w.words += ", no. " + std::to_string(k);
      all.push_back(std::move(w));
    }
  return all;
}
}  // namespace

void WantedChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(app, "--class", classes, "C",
               "Classes, each an index, a label or a difference A-B, in a list with commas; or `all`", group);
  value_option(app, "--layer", layer, "L",
               "A layer, as `loupe layers` names it: all of its channels, or --unit", group);
  repeated_option(app, "--unit", units, "C[,y,x]",
                  "A unit of --layer: channel C over all places, C,y,x at one; 0-15; may be repeated", group);
  flag_option(app, "--negative", negative, "What makes them weak instead", group);
  value_option(app, "--diverse", diverse, "N", "N pictures of each, kept unlike each other", group);
  value_option(app, "--between", between, "N", "N pictures from the first of two units to the second", group);
}

std::vector<Wanted> WantedChoice::chosen(const ImageModel& model, const Shape& input) const {
  if (!classes.empty() && !layer.empty()) throw UsageError("--class and --layer: give one of them");
  if (layer.empty() && !units.empty()) throw UsageError("--unit needs the --layer that has it");
  if (classes.empty() && layer.empty())
    throw UsageError("say what to visualise: --class C, or --layer L and --unit C");
  std::vector<Wanted> all;
  if (!classes.empty()) {
    all = of_classes(classes, model);
  } else {
    const NodeId node = model.graph().find(layer);
    const Layer l{layer, node, model.graph().shapes(input)[static_cast<size_t>(node)]};
    for (const std::string& unit : units.empty() ? std::vector<std::string>{kAll} : units) l.add(unit, all);
  }
  if (negative)
    for (Wanted& w : all) {
      for (auto& [weight, target] : w.objective.parts) weight = -weight;
      w.words = "not " + w.words;
      w.cls = {};
    }
  if (!between.empty() && !diverse.empty()) throw UsageError("--between and --diverse: give one of them");
  if (!between.empty()) {
    if (all.size() != 2)
      throw UsageError("--between goes from one unit to another: name two, not " +
                       std::to_string(all.size()));
    all = blends(all, parse_whole("--between", between, 2, 1000));
  }
  if (!diverse.empty()) all = repeated(all, parse_whole("--diverse", diverse, 2, 1000));
  std::set<std::string> names;
  for (const Wanted& w : all)
    if (!names.insert(file_name(w.objective.name)).second)
      throw UsageError("'" + w.objective.name + "' is asked for twice");
  return all;
}

}  // namespace loupe
