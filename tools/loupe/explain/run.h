// One run of `loupe explain`: what it needs, and how it explains an image.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/exam/checks.h"
#include "engine/run/image_model.h"
#include "tools/loupe/explain/explained.h"
#include "tools/loupe/inputs.h"
#include "tools/loupe/method_options.h"
#include "tools/loupe/output_folder.h"
#include "tools/loupe/progress_bar.h"
#include "tools/loupe/targets.h"

namespace loupe {

// Everything that a run needs, checked.
struct ExplainRun {
  ImageModel network;
  std::string weights;
  std::vector<Input> inputs;
  Orientation orientation;
  Tensor first = {};  // of a single input, which is read before the weights
  std::vector<ChosenMethod> methods;
  std::vector<Skipped> skipped;
  bool may_skip;             // methods that suit an image's size not
  std::vector<Asked> asked;  // one that says nothing: each image's likeliest class
  bool checks = false;       // beside every map
  std::optional<Checks> checker = {};
  bool switches = false;  // saved beside the maps
};

/// Throws Interrupted once Ctrl-C has come.
void stop_if_interrupted();

/// The question settled for an image, whose classes are ranked: what is asked, and an answer without methods yet.
std::pair<Target, Answer> settle(const Asked& asked, ImageModel& network, const Tensor& x,
                                 const std::vector<Verdict>& ranking);
/// What a method finds, drawn.
MethodResult drawn_by(const ChosenMethod& chosen, const Question& question, Explanation& found);

/// Explains one image by these methods, and writes everything about it into its folder: when it returns, that is there,
/// whole. Throws Error, and Interrupted between two batches.
ExplainedImage explain_image(ExplainRun& run, const Input& input, const Tensor& x,
                             const std::vector<ChosenMethod>& methods, const Explained& all,
                             OutputFolder& out, ProgressBar& progress);

}  // namespace loupe
