// `loupe methods`: the ways to explain, with their options.
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/run/method.h"
#include "tools/loupe/arguments.h"
#include "tools/loupe/command.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/print.h"
#include "tools/loupe/text.h"

namespace loupe {
namespace {

void as_text() {
  std::string out;
  for (const Method* m : all_methods()) {
    out +=
        std::string(m->name) + "\n    " + std::string(m->summary) + "\n    " + std::string(m->source) + "\n";
    size_t width = 0;
    for (const OptionSpec& o : m->options) width = std::max(width, columns(option_name(*m, o)));
    for (const OptionSpec& o : m->options)
      out += "    " + padded(option_name(*m, o), width) + "  " + option_help(o) + "\n";
    out += "\n";
  }
  print(out +
        "`loupe explain --method NAME,…` runs them; `--method all` runs every one that suits the network.\n");
}

void as_json() {
  auto rows = nlohmann::ordered_json::array();
  for (const Method* m : all_methods()) {
    auto options = nlohmann::ordered_json::array();
    for (const OptionSpec& o : m->options) {
      nlohmann::ordered_json row{{"option", option_name(*m, o)}, {"help", o.help}};
      std::visit([&](const auto& v) { row["default"] = v; }, o.standard);
      row["type"] = option_type(o);
      if (o.minimum > -1e300) row["minimum"] = o.minimum;
      if (o.maximum < 1e300) row["maximum"] = o.maximum;
      options.push_back(row);
    }
    rows.push_back(
        {{"method", m->name}, {"summary", m->summary}, {"source", m->source}, {"options", options}});
  }
  print_json(rows);
}

}  // namespace

extern const Command methods_command{"methods", "Lists the ways to explain, with their options and papers",
                                     [](CLI::App& app) {
                                       const auto json = std::make_shared<bool>(false);
                                       flag_option(app, "--json", *json, "For programs");
                                       return [json] { *json ? as_json() : as_text(); };
                                     }};

}  // namespace loupe
