// `loupe lesson receptive-field`: how the square of pixels that a cell sees grows from layer to layer, and that no
// gradient reaches beyond it.
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/methods/gradient.h"
#include "kernels/common/draws.h"
#include "models/models.h"
#include "models/zoo/zoo.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/lessons/lesson.h"
#include "tools/loupe/lessons/receptive_field/field.h"
#include "tools/loupe/lessons/subject.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

constexpr int64_t kPictures = 8;

struct Settings {
  ModelChoice model;
  WeightsChoice weights;
  DeviceChoice device;
  std::string layer, place, out;
  bool json = false;
};

// The layer that is studied where none is named: the last that does not see everything.
NodeId standard_layer(const Graph& graph, const std::vector<ReceptiveField>& fields) {
  NodeId last = 0;
  for (NodeId n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && graph.node(n).shape().rank() == 4 && !fields[static_cast<size_t>(n)].whole)
      last = n;
  return last;
}

Box field_of(const ReceptiveField& f, int64_t y, int64_t x, const Shape& input) {
  const auto begin = [](double offset, double stride, int64_t i) {
    return static_cast<int64_t>(std::floor(offset + stride * static_cast<double>(i)));
  };
  const int64_t top = begin(f.offset_h, f.stride_h, y), left = begin(f.offset_w, f.stride_w, x);
  const auto inside = [](int64_t v, int64_t size) { return std::clamp<int64_t>(v, 0, size); };
  return {inside(top, input[2]), inside(top + f.size.h, input[2]), inside(left, input[3]),
          inside(left + f.size.w, input[3])};
}

// The zoo's pictures with noise, so that every window's maximum lies somewhere else.
Tensor pictures(const ImageModel& network) {
  std::vector<Tensor> all;
  for (int64_t i = 0; i < kPictures; ++i) {
    const Tensor x = network.preprocess(zoo::draw(5, i, {.masks = false}).image).to(Dtype::f64).clone();
    std::vector<double> noise(static_cast<size_t>(x.numel()));
    Draws().normals("lesson receptive-field " + std::to_string(i), noise);
    for (size_t k = 0; k < noise.size(); ++k) x.values<double>()[k] += noise[k] / 2;
    all.push_back(x.shape().rank() == 4 ? x : x.reshape({1, x.shape()[0], x.shape()[1], x.shape()[2]}));
  }
  return stack_rows(all);
}

// The sum of all channels at one place of a layer's maps.
Target place(NodeId node, const Shape& maps, int64_t y, int64_t x) {
  const size_t plane = static_cast<size_t>(maps[2] * maps[3]), at = static_cast<size_t>(y * maps[3] + x);
  return Target([plane, at](std::span<const double> values, std::span<double> gradient) {
           double sum = 0;
           std::ranges::fill(gradient, 0.0);
           for (size_t i = at; i < values.size(); i += plane) sum += values[i], gradient[i] = 1;
           return sum;
         })
      .of(node);
}

FieldLesson study(ImageModel& network, const Settings& s, NodeId node,
                  const std::vector<ReceptiveField>& fields) {
  const Graph& graph = network.graph();
  const Tensor x = pictures(network);
  FieldLesson l{.device = network.device().str(),
                .model = network.name(),
                .layer = graph.node(node).name,
                .layers = layers_up_to(graph, node, fields),
                .input = x.shape()};
  l.maps = graph.shapes(l.input)[static_cast<size_t>(node)];
  l.y = l.maps[2] / 2, l.x = l.maps[3] / 2;
  if (!s.place.empty()) {
    const std::vector<std::string> parts = split_commas(s.place);
    if (parts.size() != 2) throw UsageError("--place takes Y,X, not '" + s.place + "'");
    l.y = parse_whole("--place", parts[0], 0, l.maps[2] - 1);
    l.x = parse_whole("--place", parts[1], 0, l.maps[3] - 1);
  }
  const ReceptiveField& f = fields[static_cast<size_t>(node)];
  l.field = field_of(f, l.y, l.x, l.input);
  std::vector<double> squares(static_cast<size_t>(l.input[2] * l.input[3]));
  const int64_t plane = l.input[2] * l.input[3];
  const Tensor g = gradient(network, x, {.target = place(node, l.maps, l.y, l.x)});
  for (int64_t i = 0; i < g.numel(); ++i) squares[static_cast<size_t>(i % plane)] += g.item(i) * g.item(i);
  l.seen = {l.input[2], 0, l.input[3], 0};
  double all = 0, middle = 0;
  const double row = static_cast<double>(l.field.top + l.field.bottom - 1) / 2,
               column = static_cast<double>(l.field.left + l.field.right - 1) / 2;
  for (int64_t i = 0; i < plane; ++i) {
    const double v = squares[static_cast<size_t>(i)];
    if (v == 0) continue;
    const int64_t py = i / l.input[3], px = i % l.input[3];
    l.seen = {std::min(l.seen.top, py), std::max(l.seen.bottom, py + 1), std::min(l.seen.left, px),
              std::max(l.seen.right, px + 1)};
    all += v;
    if (std::abs(static_cast<double>(py) - row) <= static_cast<double>(f.size.h) / 4 &&
        std::abs(static_cast<double>(px) - column) <= static_cast<double>(f.size.w) / 4)
      middle += v;
  }
  if (all == 0) l.seen = {};
  l.squares = Tensor::from(squares, {l.input[2], l.input[3]});
  l.within_half = all > 0 ? middle / all : 0;
  return l;
}

std::string size_of(Pair p) { return p.h == p.w ? std::to_string(p.h) : p.str(); }
std::string pair_of(double h, double w) {
  const auto one = [](double v) { return (v < 0 ? "−" : "") + short_number(std::abs(v)); };
  return h == w ? one(h) : one(h) + ", " + one(w);
}
std::string rows_and_columns(const Box& b) {
  return "rows " + std::to_string(b.top) + " to " + std::to_string(b.bottom - 1) + ", columns " +
         std::to_string(b.left) + " to " + std::to_string(b.right - 1);
}

std::string text_of(const FieldLesson& l, const std::string& model, const std::string& layer) {
  using enum Table::Align;
  std::string out = "What a cell of '" + layer + "' of " + model +
                    " sees\n\n"
                    "   A window of k cells, j pixels apart, each of which sees r pixels, sees r + (k − "
                    "1)·j. Its neighbour, s cells further,\n"
                    "   begins s·j pixels further; the first begins p·j pixels to the left of what the first "
                    "cell below it sees:\n\n"
                    "      r' = r + d·(k − 1)·j      j' = j·s      offset' = offset − p·j       (dilation d "
                    "spreads the window)\n\n";
  Table table({{"layer"},
               {"op"},
               {"k", right},
               {"s", right},
               {"p", right},
               {"sees r", right},
               {"stride j", right},
               {"offset", right}},
              3);
  table.row({"the picture", "", "", "", "", "1", "1", "0"});
  for (const FieldLayer& r : l.layers)
    table.row({r.name, r.op + (r.window.dilation == Pair(1) ? "" : ", d = " + size_of(r.window.dilation)),
               size_of(r.window.kernel), size_of(r.window.stride), size_of(r.window.padding),
               size_of(r.field.size), pair_of(r.field.stride_h, r.field.stride_w),
               pair_of(r.field.offset_h, r.field.offset_w)});
  out += table.str() + "\n   Where branches join, a cell sees the union.\n\n";
  out += "   Cell (" + std::to_string(l.y) + ", " + std::to_string(l.x) + ") of " +
         std::to_string(l.maps[2]) + " × " + std::to_string(l.maps[3]) +
         " begins at pixel offset + j·cell, so it sees, cut at the border:\n      " +
         rows_and_columns(l.field) + "\n";
  out += "   Its gradient, in " + std::to_string(kPictures) +
         " pictures and over all channels, is not 0 at:\n      " +
         (l.seen == Box{} ? "no pixel: the cell was off in all of them" : rows_and_columns(l.seen)) +
         (l.seen == l.field ? ", the same" : "") + "\n\n";
  if (l.seen == Box{}) return out;
  return out + "   Seeing is not heeding: " + percent(l.within_half) +
         " of the squared gradient lies in the middle square of half that side, a quarter of the\n"
         "   field, because more paths lead from the middle (Luo et al. 2016, the effective receptive "
         "field).\n";
}

void run(const Settings& s) {
  s.model.check_name();
  WeightsChoice weights = s.weights;
  if (weights.file.empty() && !models::has_built_in_weights(s.model.model)) weights.file = "formula";
  Model built = s.model.build(0, 0, weights.file);
  const std::vector<ReceptiveField> fields = receptive_fields(built.graph);
  const NodeId node = s.layer.empty() ? standard_layer(built.graph, fields) : built.graph.find(s.layer);
  const std::string layer = built.graph.node(node).name;
  if (built.graph.node(node).shape().rank() != 4)
    throw UsageError("'" + layer + "' has no places: its values are not maps");
  if (fields[static_cast<size_t>(node)].whole)
    throw UsageError("every cell of '" + layer + "' sees the whole picture");
  ImageModel network = load_and_say(s.model.model, std::move(built), weights, s.device.open(), s.device);
  const FieldLesson l = study(network, s, node, fields);
  const std::string page = s.out.empty() ? "" : publish_page(receptive_field_page(l), s.out);
  if (!s.json)
    return print(text_of(l, s.model.model, layer) +
                 (page.empty() ? "" : "\n" + page + " shows it all: change its layers\n"));
  nlohmann::ordered_json document{{"loupe", LOUPE_VERSION},
                                  {"model", s.model.model},
                                  {"layer", layer},
                                  {"cell", {l.y, l.x}},
                                  {"within_half", l.within_half}};
  const auto box = [](const Box& b) { return std::vector<int64_t>{b.top, b.left, b.bottom, b.right}; };
  document["field"] = box(l.field);
  document["gradient"] = box(l.seen);
  for (const FieldLayer& r : l.layers)
    document["layers"].push_back({{"layer", r.name},
                                  {"size", {r.field.size.h, r.field.size.w}},
                                  {"stride", {r.field.stride_h, r.field.stride_w}},
                                  {"offset", {r.field.offset_h, r.field.offset_w}}});
  print_json(document);
}

}  // namespace

std::vector<FieldLayer> layers_up_to(const Graph& graph, NodeId last,
                                     const std::vector<ReceptiveField>& fields) {
  std::vector<FieldLayer> all;
  for (NodeId n = 0; n <= last; ++n) {
    const Node& node = graph.node(n);
    if (!node.op || node.is_weight() || (n != last && !leads_to(graph, n, last))) continue;
    const auto window = node.op->window();
    if (!window || (window->kernel == Pair(1) && window->stride == Pair(1))) continue;
    all.push_back({node.name, std::string(node.op->kind().name), *window, fields[static_cast<size_t>(n)]});
  }
  return all;
}

extern const Lesson receptive_field_lesson{
    "receptive-field", "How what a cell sees grows from layer to layer, and that gradients keep to it",
    [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->model.add_to(app);
      value_option(app, "--layer", s->layer, "L",
                   "A layer with places (the last that does not see everything)");
      value_option(app, "--place", s->place, "Y,X", "One of its cells (the middle one)");
      s->weights.add_to(app, "File with the weights (those built in, or `formula`)");
      s->device.add_to(app);
      value_option(app, "--out", s->out, "DIR",
                   "Also write DIR/receptive-field.html, whose layers can be changed");
      flag_option(app, "--json", s->json, "For programs");
      return [s] { run(*s); };
    }};

}  // namespace loupe
