// `loupe train induction`: attention-only models of several depths and seeds learn to say the next token, and their heads
// are scored as they go. In those of two layers and more induction heads appear, within a few hundred steps.
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/training/trainer.h"
#include "models/text/induction_data.h"
#include "models/text/induction_scores.h"
#include "tools/loupe/options.h"
#include "tools/loupe/progress_line.h"

namespace loupe {

struct InductionTraining {
  std::vector<int64_t> layers, seeds;
  TrainingSettings settings;
  std::map<std::string, std::string> texts;  // what decides about the result, as a checkpoint remembers it
  std::string text;                          // to learn from
  int64_t length, width, heads;              // tokens of a sequence; of the model
  DeviceChoice device;
  std::filesystem::path out;
  int64_t every;                      // steps between two checkpoints, which are scored
  std::optional<int64_t> stop_after;  // steps, of all models together
  bool resume, json;
  std::string command;  // for the record
};

/// A model's training, as it is or was.
struct InductionRun {
  int64_t layers, seed;
  std::vector<InductionScores> scores = {};
  double seconds = 0;
};

/// Leaves OUT/layers2-seed1/ … with checkpoint.safetensors, telemetry.jsonl, scores.jsonl and, at its end,
/// induction2.safetensors (f16); and OUT/induction.json, the record, and OUT/induction.html when all are done. Prints what
/// came of it. Throws UsageError, Error and Interrupted, one line.
void train_induction(const InductionTraining& s);

/// Trains one model until its schedule ends, `steps_left` is 0 or Ctrl-C; counts steps_left down. Whether it is done.
bool train_one(const InductionTraining& s, const InductionData& data, InductionRun& run, int64_t& steps_left,
               ProgressLine& line);

/// induction.html: the losses, scores and patterns of every model, in one file.
std::string induction_page(const InductionTraining& s, const std::vector<InductionRun>& runs);

/// "2 layers, seed 1".
std::string run_name(const InductionRun& run);

}  // namespace loupe
