// Metric: one way to score what a method says about a picture, with its definition, as the command line and
// the report see it. A new metric is one file engine/exam/<name>.metric.cpp that defines
// `extern const Metric <name>_metric`; the build lists it in all_metrics().
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"
#include "engine/run/network.h"

namespace loupe {

struct MetricSettings {
  double tolerance = 4;       // pixels by which a maximum may miss an object
  double part_tolerance = 1;  // or a part of one
  int64_t steps = 32;         // of the insertion and the deletion curve
};

/// One method's answer to one scene, as far as metrics ask for it.
struct Trial {
  Network& network;
  const Scene& scene;
  const MetricSettings& settings;
  /// The method's relevance (H, W) for the class of an object of the scene.
  std::function<const Plane&(size_t object)> map;
  /// The same for the first object, of the network whose layers from the middle one (middle_layer()) to the
  /// output have learned nothing.
  std::function<const Plane&()> untrained_map;
};

struct Score {
  double value = 0;
  std::string note = {};  // what the score is about, where metrics say so: the part that was hit
};

struct Metric {
  enum class Better : uint8_t { higher, lower };

  std::string_view name;     // "two_objects"
  std::string_view heading;  // of its column: "own of 2"
  int place = 0;             // of its column, from the left
  std::string_view summary;  // what it measures, and how to read it, one line
  std::string_view source;   // the paper
  Better better = Better::higher;
  int objects = 1;      // that its scenes show
  bool costly = false;  // asks for more than the one map of a scene: scored on fewer of them
  /// Where a mean below it passes as sound and any other fails, instead of being held against the baselines.
  std::optional<double> passes_below = std::nullopt;
  /// Nullopt where the scene does not have what the metric asks for.
  std::function<std::optional<Score>(const Trial&)> score;
};

/// Every metric, by its place.
std::span<const Metric* const> all_metrics();
/// In alphabetical order. (Generated from the names of the files *.metric.cpp.)
std::span<const Metric* const> unsorted_metrics();

}  // namespace loupe
