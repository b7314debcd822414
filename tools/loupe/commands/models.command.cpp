// `loupe models`: the architectures.
#include "models/models.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/print.h"
#include "tools/loupe/table.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

struct Cost {
  int64_t parameters = 0, macs = 0;
};

Cost cost(const Graph& graph) {
  Cost c;
  for (NodeId n = 0; n < graph.size(); ++n) {
    c.parameters += learned_parameters(graph, n);
    c.macs += macs(graph, n);
  }
  return c;
}

// A paper's title and authors, in lines that fit a terminal.
std::string wrapped(const std::string& text) {
  constexpr size_t kWidth = 118;
  std::string out, line = "  ";
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (columns(line + " " + word) > kWidth) {
      out += line + "\n";
      line = "     ";
    }
    line += (line.ends_with("  ") ? "" : " ") + word;
  }
  return out + line + "\n";
}

}  // namespace

extern const Command models_command{
    "models", "Lists the architectures, with their sizes and papers", [](CLI::App& app) {
      const auto json = std::make_shared<bool>(false);
      flag_option(app, "--json", *json, "For programs");
      return [json] {
        Table table({{"model"},
                     {"pixels", Table::Align::right},
                     {"parameters", Table::Align::right},
                     {"MACs", Table::Align::right},
                     {"Grad-CAM looks at"}});
        auto rows = nlohmann::ordered_json::array();
        std::string papers;
        for (const Family* family : all_families()) {
          papers += wrapped(family->title + ": " + family->source);
          for (const Architecture& a : family->architectures) {
            const Model model = models::build(a.name);
            const Cost c = cost(model.graph);
            const int64_t pixels = model.graph.input_shapes().at(0)[2];
            table.row({a.name, std::to_string(pixels), with_commas(c.parameters), short_count(c.macs),
                       model.trunk});
            rows.push_back({{"model", a.name},
                            {"family", family->title},
                            {"pixels", pixels},
                            {"parameters", c.parameters},
                            {"macs", c.macs},
                            {"trunk", model.trunk},
                            {"source", family->source}});
          }
        }
        if (*json) return print_json(rows);
        print(table.str() +
              "\nFor 1000 classes, the zoo's networks for 14. Pixels: the sides of the pictures that a "
              "network was made "
              "for;\nit takes others where its layers fit them. MACs: multiply-accumulates of one image of "
              "that size, "
              "forward.\n\nPapers\n" +
              papers);
      };
    }};

}  // namespace loupe
