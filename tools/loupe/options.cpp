#include "tools/loupe/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "kernels/common/suggest.h"
#include "tools/loupe/text.h"

namespace loupe {

CLI::Option* value_option(CLI::App& app, const std::string& name, std::string& value,
                          const std::string& placeholder, const std::string& help, const std::string& group) {
  const auto not_empty = [](const std::string& text) {
    return std::string(text.empty() ? "its value is empty" : "");
  };
  return app.add_option(name, value, help)->option_text(placeholder)->group(group)->check(not_empty);
}

void ModelChoice::add_to(CLI::App& app, const std::string& group) {
  value_option(app, "--model", model, "M", "Architecture; `loupe models` lists them", group)->required();
  value_option(app, "--classes", classes, "N", "Classes that the network tells apart (1000)", group);
}

void ModelChoice::check_name() const {
  const std::vector<std::string> known = models::names();
  if (std::ranges::count(known, model)) return;
  const std::string near = did_you_mean(model, known);
  throw UsageError("there is no model '" + model + "'" +
                   (near.empty() ? "; `loupe models` lists those there are" : near));
}

int64_t ModelChoice::class_count() const { return parse_whole("--classes", classes, 1, 1'000'000); }

void SizeChoice::add_to(CLI::App& app) {
  value_option(app, "--size", size, "HxW", "Height and width of the input in pixels (224)");
}

Graph SizeChoice::graph(const ModelChoice& choice) const {
  choice.check_name();
  const auto [height, width] = parse_size("--size", size);
  return build_for_size(choice.model, {.classes = choice.class_count(), .height = height, .width = width})
      .graph;
}

Model build_for_size(const std::string& model, const ModelOptions& options) {
  try {
    return models::build(model, options);
  } catch (const UsageError& e) {
    throw UsageError(model + " does not take inputs of " + Pair(options.height, options.width).str() +
                     " pixels: " + e.what());
  }
}

}  // namespace loupe
