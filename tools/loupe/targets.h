// What is explained, as a person says it: --class, or --layer and --unit.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/run/image_model.h"
#include "engine/run/target.h"

namespace CLI {
class App;
}

namespace loupe {

/// One thing that was asked for.
struct Asked {
  Target target = top1;  // knows its words
  std::string text =
      {};  // as it was said: "290", "jaguar-leopard", "100,6,6"; empty: each image's likeliest class
  std::optional<int64_t> cls = {};  // of a class
  std::optional<std::pair<int64_t, int64_t>> minus =
      {};                  // of a difference: score of the first less the second's
  std::string layer = {};  // of a unit
};

/// --class, --layer and --unit.
struct TargetChoice {
  std::string classes, layer, unit;
  void add_to(CLI::App& app, const std::string& group = "Options");
  /// Throws UsageError, one line, where they do not go together or are no numbers.
  void check() const;
  /// `text` of --class, see parse_classes(); or the unit; one that says nothing if nothing was said. Throws UsageError.
  std::vector<Asked> chosen(const Graph& graph, std::span<const std::string> labels, int64_t classes) const;
};

/// A list "C,C,…" of classes, each an index, a label, a part that one label alone has, or a difference "A-B" of two.
/// Labels may hold commas and dashes themselves: what is a label as a whole is that label, the longest goes first.
/// Throws UsageError for what none of that fits, and for what is named twice.
std::vector<Asked> parse_classes(const std::string& text, std::span<const std::string> labels,
                                 int64_t classes);

/// "C" or "C,y,x". Throws UsageError.
std::pair<int64_t, std::optional<std::pair<int64_t, int64_t>>> parse_unit(const std::string& text);

}  // namespace loupe
