// `loupe models`: the architectures.
#include "models/models.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

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

}  // namespace

extern const Command models_command{
    "models", "Lists the architectures, with their sizes and papers", [](CLI::App& app) {
      const auto json = std::make_shared<bool>(false);
      app.add_flag("--json", *json, "For programs")->group("Options");
      return [json] {
        Table table({{"model"},
                     {"parameters", Table::Align::right},
                     {"MACs", Table::Align::right},
                     {"Grad-CAM looks at"}});
        auto rows = nlohmann::ordered_json::array();
        std::string papers;
        for (const Family* family : all_families()) {
          papers += "  " + family->title + ": " + family->source + "\n";
          for (const Architecture& a : family->architectures) {
            const Model model = models::build(a.name);
            const Cost c = cost(model.graph);
            table.row({a.name, with_commas(c.parameters), short_count(c.macs), model.trunk});
            rows.push_back({{"model", a.name},
                            {"family", family->title},
                            {"parameters", c.parameters},
                            {"macs", c.macs},
                            {"trunk", model.trunk},
                            {"source", family->source}});
          }
        }
        if (*json) return print_json(rows);
        print(table.str() +
              "\nFor 1000 classes and 224×224 pixels; the zoo's networks for 14 and 64×64.\nMACs: "
              "multiply-accumulates of one image, forward.\n\nPapers\n" +
              papers);
      };
    }};

}  // namespace loupe
