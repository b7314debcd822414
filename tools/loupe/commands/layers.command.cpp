// `loupe layers`: the nodes of an architecture, with shapes, costs and receptive fields.
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/loupe/command.h"
#include "tools/loupe/options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Settings {
  ModelChoice model;
  SizeChoice size;
  bool json = false;
};

// "64×55×55": without the batch.
std::string sizes(const Shape& shape) {
  std::string text;
  for (int i = 1; i < shape.rank(); ++i) text += (i > 1 ? "×" : "") + std::to_string(shape[i]);
  return text;
}

// "3" where height and width agree, else "3×5".
std::string pair(double h, double w) {
  return h == w ? short_number(h) : short_number(h) + "×" + short_number(w);
}

// Names of nodes deep inside a network are long, so those of one module stand under its name, "features.3.".
struct Name {
  std::string module, last;
};

Name split(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == name.npos || name.find('.') == dot) return {"", name};
  return {name.substr(0, dot + 1), name.substr(dot + 1)};
}

std::string operation(const Node& node) {
  if (!node.op) return "input";
  std::string how = node.op->describe();
  if (const size_t at = how.find(", no bias"); at != how.npos)
    how.erase(at, 9);  // the count of parameters shows it
  return std::string(node.op->kind().name) + (how.empty() ? "" : " " + how);
}

int64_t macs_of(const Graph& graph, const std::vector<Shape>& shapes, NodeId n) {
  const Node& node = graph.node(n);
  if (!node.op) return 0;
  std::vector<Shape> operands;
  for (const Port& p : node.inputs)
    operands.push_back(p.output == 0 ? shapes[static_cast<size_t>(p.node)]
                                     : graph.node(p.node).types[static_cast<size_t>(p.output)].shape);
  return node.op->macs(operands);
}

void as_table(const Graph& graph, const Shape& input) {
  using enum Table::Align;
  Table table({{"node"},
               {"operation"},
               {"output"},
               {"parameters", right},
               {"MACs", right},
               {"sees", right},
               {"stride", right},
               {"offset", right}});
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  const std::vector<Shape> shapes = graph.shapes(input);
  int64_t total_parameters = 0, total_macs = 0;
  std::string module;
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (node.is_weight()) continue;
    const Shape& shape = shapes[static_cast<size_t>(n)];
    const Name name = split(node.name);
    if (name.module != module && !name.module.empty()) table.row({name.module});
    module = name.module;
    const ReceptiveField& f = fields[static_cast<size_t>(n)];
    const int64_t parameters = learned_parameters(graph, n), cost = macs_of(graph, shapes, n);
    std::vector<std::string> cells{(module.empty() ? "" : "  ") + name.last, operation(node), sizes(shape),
                                   parameters ? with_commas(parameters) : "", cost ? short_count(cost) : ""};
    if (f.whole)
      cells.push_back("all");
    else
      cells.insert(cells.end(), {pair(static_cast<double>(f.size.h), static_cast<double>(f.size.w)),
                                 pair(f.stride_h, f.stride_w), pair(f.offset_h, f.offset_w)});
    table.row(cells);
    total_parameters += parameters;
    total_macs += cost;
  }
  table.line();
  table.row({"total", "", "", with_commas(total_parameters), short_count(total_macs)});
  print(table.str() +
        "\nMACs: multiply-accumulates of one image, forward. A cell of a node sees a square of `sees` pixels "
        "of the input, the\n"
        "next cell the square `stride` pixels further; the first square begins at pixel `offset`, negative "
        "in the padding.\n");
}

void as_json(const std::string& model, const Graph& graph, const Shape& input) {
  const std::vector<ReceptiveField> fields = receptive_fields(graph);
  const std::vector<Shape> shapes = graph.shapes(input);
  int64_t total_parameters = 0, total_macs = 0;
  auto rows = nlohmann::ordered_json::array();
  for (NodeId n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    if (node.is_weight()) continue;
    const Shape& shape = shapes[static_cast<size_t>(n)];
    const ReceptiveField& f = fields[static_cast<size_t>(n)];
    nlohmann::ordered_json row{{"node", node.name},
                               {"op", node.op ? node.op->kind().name : "input"},
                               {"description", node.op ? node.op->describe() : ""}};
    for (const Port& p : node.inputs)
      if (!graph.node(p.node).is_weight()) row["inputs"].push_back(graph.node(p.node).name);
    row["shape"] = std::vector<int64_t>(shape.dims().begin() + 1, shape.dims().end());
    row["parameters"] = learned_parameters(graph, n);
    row["macs"] = macs_of(graph, shapes, n);
    if (f.whole)
      row["receptive_field"] = "all";
    else
      row["receptive_field"] = {{"size", {f.size.h, f.size.w}},
                                {"stride", {f.stride_h, f.stride_w}},
                                {"offset", {f.offset_h, f.offset_w}}};
    total_parameters += learned_parameters(graph, n);
    total_macs += macs_of(graph, shapes, n);
    rows.push_back(row);
  }
  print_json({{"model", model}, {"layers", rows}, {"parameters", total_parameters}, {"macs", total_macs}});
}

}  // namespace

extern const Command layers_command{
    "layers", "Lists a model's nodes: shapes, parameters, costs, receptive fields", [](CLI::App& app) {
      const auto s = std::make_shared<Settings>();
      s->model.add_to(app);
      s->size.add_to(app);
      flag_option(app, "--json", s->json, "For programs");
      return [s] {
        const auto [graph, input] = s->size.graph(s->model);
        s->json ? as_json(s->model.model, graph, input) : as_table(graph, input);
      };
    }};

}  // namespace loupe
