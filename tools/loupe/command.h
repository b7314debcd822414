// Command: one subcommand of `loupe`. A new one is a file tools/loupe/commands/<name>.command.cpp that
// defines `extern const Command <name>_command`; the build lists it in all_commands().
#pragma once
#include <functional>
#include <span>
#include <stdexcept>
#include <string_view>

namespace CLI {
class App;
}

namespace loupe {

/// Thrown by a command that Ctrl-C stopped, once what it leaves is in order. Exit status 130, as shells have
/// it.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Command {
  std::string_view name;
  std::string_view summary;  // one line
  /// Adds the options to `app`, and returns what is to run once they are parsed.
  std::function<std::function<void()>(CLI::App& app)> setup;
};

/// Every command, in alphabetical order. (Generated from the names of the files *.command.cpp.)
std::span<const Command* const> all_commands();

}  // namespace loupe
