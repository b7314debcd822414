// The options of methods on the command line: --<method>.<option> for each OptionSpec that a method lists.
#pragma once
#include <string>
#include <vector>

#include "engine/run/method.h"

namespace CLI {
class App;
}

namespace loupe {

/// "--occlusion.window"
std::string option_name(const Method&, const OptionSpec&);
/// "integer", "number" or "text"
std::string option_type(const OptionSpec&);
/// What the option means, its default and its limits.
std::string option_help(const OptionSpec&);

/// A method to run, with its options.
struct ChosenMethod {
  const Method* method;
  Options options;
};

/// --method and the options of every method.
class MethodChoice {
 public:
  void add_to(CLI::App& app, const std::string& group);
  /// The methods in the order given, each once. Throws UsageError for unknown names, for values out of range,
  /// and for options of a method that was not asked for.
  std::vector<ChosenMethod> chosen() const;
  /// --method all: methods that do not suit the network are left out rather than an error.
  bool all() const;

 private:
  struct Given {
    const Method* method;
    std::string option, text;
  };
  std::string methods_ = "gradient";
  std::vector<Given> given_;
};

}  // namespace loupe
