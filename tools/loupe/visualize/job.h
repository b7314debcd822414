// The work of `loupe visualize`, which can be interrupted and gone on with.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/loupe/progress_bar.h"
#include "tools/loupe/visualize/visualization.h"

namespace loupe {

/// How pictures are made.
struct Recipe {
  Canvas canvas;
  AscentOptions options;
  Draws draws = Draws();
  int64_t steps = 0;
  int64_t frames = 0;  // small pictures that are kept on the way, the first and the last among them
  std::function<std::unique_ptr<Parameters>()> parameters = {};
};

/// The pictures of all units: in groups whose numbers take no more than half a gigabyte or so, each a batch. After each
/// group, `done` is told. What is needed to go on is in the file `state` (none: ""), written whole every quarter of a
/// minute and when Ctrl-C comes, and gone in the end. A state that another recipe or other units left, which `settings`
/// says, is not touched: an Error. Throws Interrupted.
std::vector<Visualized> make_pictures(ImageModel& model, const std::vector<Wanted>& wanted,
                                      const Recipe& recipe, const std::string& state,
                                      const std::string& settings,
                                      const std::function<void(const std::vector<Visualized>&)>& done,
                                      ProgressBar& progress);

}  // namespace loupe
