// What a command can be given. CLI11 parses it; its header, which takes seconds to compile, is known to arguments.cpp, the
// page of --help and main() alone.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace loupe {

/// An option that takes one value, with the placeholder that --help shows for it ("FILE").
void value_option(CLI::App& app, const std::string& name, std::string& value, const std::string& placeholder,
                  const std::string& help, const std::string& group = "Options");
/// The same, for a value that is looked at as it is read: `take` throws what is wrong with it.
void value_option(CLI::App& app, const std::string& name, std::function<void(const std::string&)> take,
                  const std::string& placeholder, const std::string& help, const std::string& group = "Options");
/// An option that may be repeated, each time with one value.
void repeated_option(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                     const std::string& placeholder, const std::string& help, const std::string& group = "Options");
void flag_option(CLI::App& app, const std::string& name, bool& value, const std::string& help,
                 const std::string& group = "Options");

enum class Need { optional, required };
/// What stands without a `--`: one, or, of a vector, as many as there are.
void argument(CLI::App& app, const std::string& name, std::string& value, const std::string& help,
              const std::string& group = "Options", Need need = Need::optional);
void argument(CLI::App& app, const std::string& name, std::vector<std::string>& values, const std::string& help,
              const std::string& group = "Options", Need need = Need::optional);

/// A command of a command; one of them must then be named.
CLI::App& subcommand(CLI::App& app, const std::string& name, const std::string& summary);
/// Whether it was.
bool was_named(const CLI::App& app);

}  // namespace loupe
