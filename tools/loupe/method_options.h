// The options of methods on the command line: --<method>.<option> for each OptionSpec that a method lists.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/run/method.h"
#include "tools/loupe/targets.h"

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

/// A method that was left out, and why.
struct Skipped {
  std::string method, why;
};

/// Takes out the methods that do not suit the network with an input of one of these shapes (throws UsageError
/// for them instead unless `may_skip`, and where none is left).
std::vector<Skipped> leave_out_unsuited(std::vector<ChosenMethod>& methods, const ImageModel& model,
                                        std::span<const Shape> inputs, bool may_skip);
/// The same of those that cannot explain all that was asked; adds to `skipped`.
void leave_out_unsuited(std::vector<ChosenMethod>& methods, const ImageModel& model,
                        std::span<const Asked> asked, bool may_skip, std::vector<Skipped>& skipped);
/// --layer on its own: the option `layer` of the methods that have it. Throws UsageError where none has.
void choose_layer(std::vector<ChosenMethod>& methods, const std::string& layer);
/// Defaults of options that nobody set, for inputs of that shape.
void fit(ChosenMethod& method, const ImageModel& model, const Shape& input);

/// --method and the options of every method.
class MethodChoice {
 public:
  /// The methods where --method is not given.
  explicit MethodChoice(std::string standard = "gradient") : methods_(std::move(standard)) {}
  /// `option`: what names the methods.
  void add_to(CLI::App& app, const std::string& group, const std::string& option = "--method");
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
  std::string option_ = "--method", methods_;
  std::vector<Given> given_;
};

}  // namespace loupe
