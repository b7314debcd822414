#include "tools/loupe/arguments.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace loupe {

void value_option(CLI::App& app, const std::string& name, std::string& value, const std::string& placeholder,
                  const std::string& help, const std::string& group) {
  const auto not_empty = [](const std::string& text) {
    return std::string(text.empty() ? "its value is empty" : "");
  };
  app.add_option(name, value, help)->option_text(placeholder)->group(group)->check(not_empty);
}

void value_option(CLI::App& app, const std::string& name, std::function<void(const std::string&)> take,
                  const std::string& placeholder, const std::string& help, const std::string& group) {
  app.add_option_function<std::string>(name, std::move(take), help)->option_text(placeholder)->group(group);
}

void repeated_option(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                     const std::string& placeholder, const std::string& help, const std::string& group) {
  app.add_option(name, values, help)->option_text(placeholder)->allow_extra_args(false)->group(group);
}

void flag_option(CLI::App& app, const std::string& name, bool& value, const std::string& help,
                 const std::string& group) {
  app.add_flag(name, value, help)->group(group);
}

namespace {
template <typename Value>
void add(CLI::App& app, const std::string& name, Value& value, const std::string& help, const std::string& group,
         Need need) {
  app.add_option(name, value, help)->required(need == Need::required)->group(group);
}
}  // namespace

void argument(CLI::App& app, const std::string& name, std::string& value, const std::string& help,
              const std::string& group, Need need) {
  add(app, name, value, help, group, need);
}

void argument(CLI::App& app, const std::string& name, std::vector<std::string>& values, const std::string& help,
              const std::string& group, Need need) {
  add(app, name, values, help, group, need);
}

CLI::App& subcommand(CLI::App& app, const std::string& name, const std::string& summary) {
  CLI::App* sub = app.add_subcommand(name, summary);
  sub->set_help_flag("-h,--help", "This page");
  app.require_subcommand(1);
  return *sub;
}

bool was_named(const CLI::App& app) { return app.parsed(); }

}  // namespace loupe
