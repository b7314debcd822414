// Metric: one way to score what a method says about a picture, with its definition, as the command line and
// the report see it. A new metric is one file engine/exam/<name>.metric.cpp that defines
// `extern const Metric <name>_metric`; the build lists it in all_metrics().
#pragma once
#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/exam/scene.h"
#include "engine/image/plane.h"
#include "engine/run/image_model.h"

namespace loupe {

struct MetricSettings {
  double tolerance = 4;       // pixels by which a maximum may miss an object
  double part_tolerance = 1;  // or a part of one
  int64_t steps = 32;         // of the curves of insertion, deletion and pixel flipping
  int64_t draws = 50;         // sets of pixels: of each size for sensitivity-n, squares for infidelity
  int64_t neighbours = 10;    // pictures around a scene's, for max-sensitivity
  double radius = 0.2;        // how far they lie from it, in normalised units
};

/// What is the same for all methods that answer one scene, made when it is first asked for: how the network
/// answers pictures that no map has chosen.
class Once {
 public:
  template <typename T>
  const T& get(const std::string& name, const std::function<T()>& make) {
    std::any& held = held_[name];
    if (!held.has_value()) held = make();
    return std::any_cast<const T&>(held);
  }

 private:
  std::map<std::string, std::any> held_;
};

/// One method's answer to one scene, as far as metrics ask for it.
struct Trial {
  ImageModel& network;  // the same weights, for scores: not for maps, which these functions give
  const Scene& scene;
  const MetricSettings& settings;
  Once& once;  // the scene's
  /// The method's relevance (H, W) for the class of an object of the scene.
  std::function<const Plane&(size_t object)> map;
  /// The same for the first object, of the network whose layers from the middle one (middle_layer()) to the
  /// output have learned nothing.
  std::function<const Plane&()> untrained_map;
  /// The same for the class of the first object, in each of these pictures (N, 3, H, W) instead of the scene's.
  std::function<std::vector<Plane>(const Tensor& pictures)> maps_of;
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
  int objects = 1;       // that its scenes show
  bool costly = false;   // asks for more than the one map of a scene: scored on fewer of them
  bool standard = true;  // a column of the table where nothing else is asked for
  /// Says what kind of map it is rather than how right it is: not held against the baselines.
  bool descriptive = false;
  /// Where a mean below it passes as sound and any other fails, instead of being held against the baselines.
  std::optional<double> passes_below = std::nullopt;
  /// Nullopt where the scene does not have what the metric asks for.
  std::function<std::optional<Score>(const Trial&)> score;
};

/// Every metric, by its place.
std::span<const Metric* const> all_metrics();
/// Those of the table where nothing else is asked for.
std::span<const Metric* const> standard_metrics();
/// Throws UsageError with near names.
const Metric& find_metric(const std::string& name);
/// In alphabetical order. (Generated from the names of the files *.metric.cpp.)
std::span<const Metric* const> unsorted_metrics();

}  // namespace loupe
