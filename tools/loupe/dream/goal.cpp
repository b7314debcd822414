#include "tools/loupe/dream/goal.h"

#include <algorithm>

#include "models/io/tensor_file.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/targets.h"
#include "tools/loupe/text.h"

namespace loupe {

namespace {

// The last that sees half of a picture's side at most, behind the function that alone reads it: things with parts rather
// than lines, and no whole objects. Everything that the network computes passes it.
NodeId middle_layer(const ImageModel& network) {
  const Graph& graph = network.graph();
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  const NodeId input = graph.inputs().at(0);
  const Shape& own = graph.node(input).shape();
  NodeId found = -1, reach = input;  // the last that reads what came before
  int64_t most = 1;
  for (NodeId n = input; n < graph.output(); ++n) {
    const ReceptiveField& f = fields[static_cast<size_t>(n)];
    if (graph.node(n).is_weight() || f.whole || graph.node(n).shape().rank() != 4) continue;
    if (graph.node(n).op && reach <= n && f.size.h > most && 2 * f.size.h <= own[2])
      found = n, most = f.size.h;
    for (const NodeId reader : graph.consumers(n)) reach = std::max(reach, reader);
  }
  if (found < 0)
    throw UsageError(network.name() + " has no layer that sees parts of a picture: name one, --layer L");
  for (;;) {
    const std::vector<NodeId> readers = graph.consumers(found);
    if (readers.size() != 1) return found;
    const Node& next = graph.node(readers[0]);
    const auto window = next.op->window();
    const auto others = [&](const Port& p) { return p.node != found && !graph.node(p.node).is_weight(); };
    if (!window || window->kernel != Pair(1) || std::ranges::any_of(next.inputs, others) ||
        (next.op->kind().name != "batch_norm" && macs(graph, readers[0]) > 0))
      return found;
    found = readers[0];
  }
}

ChosenDreamGoal class_goal(const DreamGoalChoice& s, const ImageModel& network) {
  std::vector<std::pair<double, Target>> parts;
  std::vector<std::string> words;
  for (const Asked& asked : parse_classes(s.classes, network.labels, network.classes())) {
    parts.emplace_back(1.0, asked.target);
    words.push_back(asked.target.words());
  }
  return {score_goal(network.graph(), std::move(parts)), join(words)};
}

}  // namespace

void DreamGoalChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(app, "--layer", layer, "L",
               "More of all that this layer sees: its squared norm (the last that sees at most half of a "
               "picture's side)",
               group);
  repeated_option(app, "--unit", units, "C", "Of the layer a channel alone, over all places; may be repeated",
                  group);
  value_option(app, "--direction", direction, "FILE",
               "Of the layer a direction: .npy or .safetensors with a number for each channel", group);
  value_option(app, "--guide", guide, "PHOTO",
               "Each place of the layer becomes more like what fits it best in this picture", group);
  value_option(
      app, "--class", classes, "C",
      "Classes instead of a layer, each an index, a label or a difference A-B, in a list with commas", group);
}

ChosenDreamGoal DreamGoalChoice::chosen(ImageModel& network, Orientation orientation) const {
  const int ways = !units.empty() + !direction.empty() + !guide.empty();
  if (!classes.empty() && (!layer.empty() || ways > 0))
    throw UsageError(
        "--class is dreamt of without a layer: leave out --layer, --unit, --direction and --guide");
  if (ways > 1) throw UsageError("--unit, --direction and --guide: give one of them");
  if (!classes.empty()) return class_goal(*this, network);
  if (layer.empty() && (!units.empty() || !direction.empty()))
    throw UsageError(std::string(units.empty() ? "--direction" : "--unit") +
                     " needs the --layer that has it");
  const NodeId node = layer.empty() ? middle_layer(network) : network.graph().find(layer);
  const Node& at = network.graph().node(node);
  if (!at.op) throw UsageError("--layer " + layer + " is no layer that computes something");
  const Shape& shape = at.shape();
  if (!guide.empty())
    return {guide_goal(network, node, network.preprocess(read_image(guide, orientation))),
            at.name + ", guided by " + guide};
  if (!direction.empty()) {
    const Tensor v = read_tensor_file(direction).to(Dtype::f64);
    const auto values = v.values<const double>();
    return {direction_goal(node, shape, {values.begin(), values.end()}), at.name + ", " + direction};
  }
  if (units.empty()) return {layer_goal(node), at.name};
  const int64_t channels = shape.rank() == 4 ? shape[1] : shape.back();
  std::vector<double> v(static_cast<size_t>(channels));
  std::string words = at.name;
  for (const std::string& text : units) {
    const auto [channel, place] = parse_unit(text);
    if (place)
      throw UsageError("--unit " + text + ": a dream is of channels over all places, such as --unit " +
                       std::to_string(channel));
    if (channel >= channels)
      throw UsageError(at.name + ": there is no unit " + text + ", it has " + std::to_string(channels) +
                       ": 0 to " + std::to_string(channels - 1));
    v[static_cast<size_t>(channel)] = 1;
    words += ", unit " + text;
  }
  return {direction_goal(node, shape, std::move(v)), words};
}

}  // namespace loupe
