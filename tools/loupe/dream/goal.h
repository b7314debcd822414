// What `loupe dream` dreams of.
#pragma once
#include <string>
#include <vector>

#include "engine/image/image.h"
#include "engine/neurons/dream_goals.h"
#include "engine/run/image_model.h"

namespace CLI {
class App;
}

namespace loupe {

struct ChosenDreamGoal {
  DreamGoal goal;
  std::string words;  // "features.9.cat, unit 3"
};

/// --layer, --unit, --direction, --guide and --class.
struct DreamGoalChoice {
  std::string layer, direction, guide, classes;
  std::vector<std::string> units;
  void add_to(CLI::App& app, const std::string& group);
  /// Reads the guide and the direction. Throws UsageError, one line, with near names; Error for a file that cannot be
  /// read.
  ChosenDreamGoal chosen(ImageModel& network, Orientation orientation) const;
};

}  // namespace loupe
