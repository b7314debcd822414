// Method: one way to explain a score, with its options, as the command line and the report see it. A
// new method is one file engine/methods/<name>.method.cpp that defines `extern const Method <name>_method`;
// the build lists it in all_methods().
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/image/picture.h"
#include "engine/run/image_model.h"
#include "engine/run/passes.h"

namespace loupe {

/// A typed option of a method, written --<method>.<name> on the command line.
struct OptionSpec {
  using Value = std::variant<int64_t, double, std::string>;  // the default's type is the option's type
  std::string name;
  Value standard;  // the default
  std::string help;
  double minimum = -1e300, maximum = 1e300;  // of numbers, inclusive
};

/// Values of a method's options: the defaults, and what was set on top.
class Options {
 public:
  explicit Options(std::string method, std::vector<OptionSpec> specs);
  /// Parses and checks. Throws UsageError naming the option, the value and what is allowed.
  void set(const std::string& name, const std::string& text);
  /// Another default, for an option that was not set.
  void suggest(const std::string& name, OptionSpec::Value value);
  int64_t integer(const std::string& name) const { return std::get<int64_t>(value(name)); }
  double number(const std::string& name) const { return std::get<double>(value(name)); }
  const std::string& text(const std::string& name) const { return std::get<std::string>(value(name)); }
  /// name → text, defaults included, for metadata.
  std::map<std::string, std::string> all() const;

 private:
  const OptionSpec::Value& value(const std::string& name) const;
  std::string method_;
  std::vector<OptionSpec> specs_;
  std::map<std::string, OptionSpec::Value> values_;
  std::set<std::string> given_;  // those that were set
};

/// One result: a tensor, how to draw it, and what it is in one sentence.
struct Map {
  std::string name;  // "gradient", "occlusion_logit"
  Tensor values;     // (3, H, W) for attributions of pixels, (h, w) for grids
  Picture picture;
  std::string caption;
};

/// A number that says how far to trust a result (the completeness residual of integrated gradients).
struct Check {
  std::string name;
  double value;
  std::string meaning;
  std::optional<bool> passes = {};  // where there is a limit; `meaning` says in words what fails
  std::optional<std::pair<double, double>> interval = {};  // where the value lies with 95 % confidence
};

/// What maps were made of, stored beside them and not drawn: the scores of masked pictures, the weights of channels.
struct Numbers {
  std::string name;  // "ablation_cam.weight"
  Tensor values;
};

struct Explanation {
  std::vector<Map> maps;
  std::vector<Check> checks;
  std::vector<std::string> notes = {};  // sentences about this result, where one is needed
  std::vector<Numbers> numbers = {};
  /// What was asked for and not reached, a line each. The result is the best there was; `loupe explain` writes it, says
  /// this and ends with exit status 1.
  std::vector<std::string> unmet = {};
};

/// What a method gets to explain.
struct Question {
  ImageModel& model;
  Tensor input;  // (1, 3, H, W), preprocessed
  Target target = top1;
  Tensor logits;  // (1, classes), of `input`
  Progress progress = [](double) {};
  std::map<NodeId, Tensor> values =
      {};  // of nodes that Method::reads names, from the pass that made `logits`
};

struct Method {
  std::string_view name;
  std::string_view summary;  // one line
  std::string_view source;   // the paper
  std::vector<OptionSpec> options;
  /// Why it cannot explain this network, for inputs of that shape, or nullopt; empty: it suits all. Throws
  /// UsageError for options that were set and do not fit.
  std::function<std::optional<std::string>(const ImageModel&, const Shape& input, const Options&)> unsuited =
      {};
  /// Why it cannot explain that target, or nullopt; empty: it explains a class, a difference, and a unit of a layer.
  std::function<std::optional<std::string>(const ImageModel&, const Target&, const Options&)>
      unsuited_target = {};
  std::function<Explanation(const Question&, const Options&)> run;
  /// Suggests defaults that fit inputs of that shape; empty: those above fit every network.
  std::function<void(const ImageModel&, const Shape& input, Options&)> fit = {};
  /// Nodes whose values in the forward pass of the input are all that the method needs. Who runs that pass for the
  /// logits names them in its purpose and hands them over in Question::values; where they are missing, the method runs
  /// a pass of its own.
  std::function<std::vector<NodeId>(const ImageModel&, const Options&)> reads = {};
  /// With its defaults it takes the time of a few hundred forward passes or more. `loupe tour` leaves it out, and
  /// `loupe evaluate` asks it about as few pictures as it does costly metrics.
  bool costly = false;
};

/// Why the method cannot explain the network for such inputs, with its options or, if null, those that fit; or
/// nullopt. Throws UsageError as Method::unsuited does.
std::optional<std::string> why_unsuited(const Method&, const ImageModel&, const Shape& input,
                                        const Options* = nullptr);

/// Every method, in alphabetical order. (Generated from the names of the files *.method.cpp.)
std::span<const Method* const> all_methods();
/// Throws UsageError with near names.
const Method& find_method(const std::string& name);

}  // namespace loupe
