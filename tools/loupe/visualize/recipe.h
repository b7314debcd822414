// How `loupe visualize` makes pictures: the options, and what they mean together.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "tools/loupe/visualize/job.h"

namespace CLI {
class App;
}

namespace loupe {

struct RecipeChoice {
  std::string steps = "256", seed = "1", parameters, optimizer, rate, l2, tv, blur, blur_every, clear_norms,
              clear_contributions, jitter, scale, rotation, spectrum, frames = "24", diversity,
              diversity_layer;
  bool plain = false;
  void add_to(CLI::App& app, const std::string& group);
  /// Those alone that say how one picture is made, but for --seed, which a command may have of its own.
  void add_form_to(CLI::App& app, const std::string& group);
  /// Throws UsageError for what makes no sense, before anything is loaded.
  void check() const;
  /// The recipe for a network and its inputs. Reads the pictures of --spectrum. Throws UsageError.
  Recipe recipe(const ImageModel& model, const Shape& input) const;
  /// The plain form of it: for a comparison.
  RecipeChoice plain_form() const;
  /// What the pictures hang on, as it was settled.
  nlohmann::ordered_json settings(const Recipe&) const;
};

}  // namespace loupe
