// Evaluation: methods answer the same scenes, and metrics score them by what is true there.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/exam/contestant.h"
#include "engine/exam/metric.h"
#include "engine/exam/statistics.h"
#include "engine/run/passes.h"

namespace loupe {

struct Exam {
  /// Scene `index` with one object or with two; the method is asked for the class of the first, and where a
  /// metric wants it of the second. Called once for each.
  std::function<Scene(int64_t index, int objects)> scene;
  int64_t count = 0;  // scenes with one object
  // Of which so many, from the first, for costly metrics and for costly methods; a tenth of them, but at
  // least one, for costly metrics of costly methods; and as many with two objects.
  int64_t costly = 0;
  uint64_t seed = 0;  // of the untrained networks
  MetricSettings settings = {};
  Progress progress = {};
  std::vector<const Metric*> metrics = {};  // none: standard_metrics()
};

/// What one metric says about one method.
struct Verdicts {
  const Metric* metric = nullptr;
  Tally tally = {};
  /// How often each note was taken, by the class that was asked for.
  std::map<std::pair<int64_t, std::string>, int64_t> notes = {};
  /// Nullopt for baselines, where there is none, for a metric with a limit of its own (passes_below) and for
  /// one that describes.
  std::optional<bool> beats_baselines = std::nullopt;
};

/// One method, by every metric.
struct Standing {
  Contestant contestant;
  std::vector<Verdicts> verdicts = {};  // in the order of Evaluation::metrics
  double seconds = 0;                   // for one map, the median
};

struct Evaluation {
  std::vector<const Metric*> metrics = {};
  std::vector<Standing> standings = {};  // in the order of the contestants
  Tally right = {};                      // 1 where the network's likeliest class is the scene's
};

/// Throws UsageError for a count below one, and Error where a method's map cannot be scored.
Evaluation evaluate(ImageModel& model, const std::vector<Contestant>& contestants, const Exam& exam);

}  // namespace loupe
