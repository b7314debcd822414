#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/neurons/unit.h"
#include "kernels/common/suggest.h"
#include "models/io/tensor_file.h"
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

constexpr const char *kLayer = "layer", *kHead = "head:";

struct Layer {
  std::string name;
  NodeId node;
  Shape shape;
  int64_t heads;  // of an attention layer whose pattern is handed out; of others 0
  int64_t channels() const { return shape.rank() == 4 ? shape[1] : shape[shape.rank() - 1]; }

  Wanted wanted(const std::string& text, double weight, const Target& target) const {
    return {{text, {{weight, target}}}, name + ", " + target.words()};
  }
  Wanted unit(const std::string& text) const {
    try {
      if (text == kLayer) return wanted(text, 1, layer_unit(node, shape));
      if (text.starts_with(kHead)) {
        if (heads == 0) throw UsageError("it has no heads: name an attention layer");
        return wanted(text, 1,
                      head_unit(node, shape, parse_whole("--unit head", text.substr(5), 0, 1 << 20), heads));
      }
      if (std::ranges::count(text, ',') == 1) {
        const std::vector<std::string> numbers = split_commas(text);
        const auto whole = [&](size_t i) {
          return parse_whole("--unit", numbers.at(i), 0, int64_t{1} << 40);
        };
        return wanted(text, 1, token_unit(node, shape, whole(0), whole(1)));
      }
      const auto [channel, place] = parse_unit(text);
      const Target target = Target::unit(channel, place).of(node);
      target.check(shape);
      return wanted(text, weight_of(shape, place.has_value()), target);
    } catch (const UsageError& e) {
      throw UsageError(name + ": " + e.what());
    }
  }
  Wanted direction(const std::string& file) const {
    const Tensor numbers = read_tensor_file(file).to(Dtype::f64);
    const auto values = numbers.values<const double>();
    try {
      Wanted w =
          wanted(std::filesystem::path(file).stem().string(), 1,
                 direction_unit(node, shape, {values.begin(), values.end()}).called("direction " + file));
      w.words = valid_utf8(w.words);
      return w;
    } catch (const UsageError& e) {
      throw UsageError(name + ", " + file + ": " + e.what());
    }
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

Layer layer_of(const ImageModel& model, const std::string& name, const Shape& input) {
  const NodeId node = model.graph().find(name);
  const std::vector<Type> types = model.graph().types(std::span(&input, 1))[static_cast<size_t>(node)];
  const bool pattern = types.size() == 2 && types[0].shape.rank() == 3 && types[1].shape.rank() == 4;
  return {name, node, types[0].shape, pattern ? types[1].shape[1] : 0};
}

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
  repeated_option(app, "--unit", units, "U",
                  "A unit of --layer: channel C over all places, C,y,x at one; 0-15; number C,t of token t; "
                  "`head:3` of an attention layer; `layer`, all of it; may be repeated",
                  group);
  repeated_option(
      app, "--direction", directions, "FILE",
      "Of --layer a direction: .npy or .safetensors with a number for each channel; may be repeated", group);
  flag_option(app, "--negative", negative, "What makes them weak instead", group);
  value_option(app, "--diverse", diverse, "N", "N pictures of each, kept unlike each other", group);
  value_option(app, "--between", between, "N", "N pictures from the first of two units to the second", group);
}

std::vector<Wanted> WantedChoice::chosen(const ImageModel& model, const Shape& input) const {
  if (!classes.empty() && !layer.empty()) throw UsageError("--class and --layer: give one of them");
  if (layer.empty() && (!units.empty() || !directions.empty()))
    throw UsageError(std::string(units.empty() ? "--direction" : "--unit") +
                     " needs the --layer that has it");
  if (classes.empty() && layer.empty())
    throw UsageError("say what to visualise: --class C, or --layer L and --unit C");
  std::vector<Wanted> all;
  if (!classes.empty()) {
    all = of_classes(classes, model);
  } else {
    const Layer l = layer_of(model, layer, input);
    for (const std::string& unit : units) l.add(unit, all);
    for (const std::string& file : directions) all.push_back(l.direction(file));
    if (all.empty()) l.add(kAll, all);
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
