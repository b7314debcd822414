// How a photograph becomes the input of a network that was trained in its own way.
#pragma once
#include <optional>
#include <string>

#include "engine/image/preprocess.h"

namespace CLI {
class App;
}

namespace loupe {

/// --size, --crop, --no-crop, --mean, --std and --orientation.
class PreprocessingChoice {
 public:
  void add_to(CLI::App& app, const std::string& group);
  /// Throws UsageError for values that make no sense, alone or together. Call it first.
  void check() const;
  /// Height and width of the inputs, where the options say it: what the network is to be made for.
  std::optional<std::pair<int64_t, int64_t>> input_size() const;
  /// The network's own preprocessing with what was given in its place.
  Preprocessing applied(Preprocessing standard) const;
  Orientation orientation() const;

 private:
  bool exact() const { return size_.find('x') != size_.npos; }  // --size HxW
  std::string size_, crop_, mean_, std_, orientation_;
  bool no_crop_ = false;
};

}  // namespace loupe
