#include "tools/loupe/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "kernels/common/suggest.h"
#include "tools/loupe/text.h"

namespace loupe {

CLI::Option* value_option(CLI::App& app, const std::string& name, std::string& value,
                          const std::string& placeholder, const std::string& help, const std::string& group) {
  return app.add_option(name, value, help)->option_text(placeholder)->group(group);
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

ModelOptions SizeChoice::with(const ModelChoice& choice) const {
  const auto [height, width] = parse_size("--size", size);
  return {.classes = choice.class_count(), .height = height, .width = width};
}

}  // namespace loupe
