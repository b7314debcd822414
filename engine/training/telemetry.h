// Telemetry: a file of JSON lines, one a step, for plots and for whoever wonders later how a network came
// about.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "engine/training/trainer.h"

namespace loupe {

/// {"step":12,"loss":1.9,"accuracy":0.4,"rate":0.0002,"gradient_norm":…,"parameter_norm":…,
///  "update_ratio":{layer: …},"dead_relu":{layer: …},"images_per_second":…}; five significant digits.
std::string telemetry_line(const StepReport& report);

/// A stretch of training, averaged.
struct CurvePoint {
  double step = 0;  // the middle of the stretch
  double loss = 0, accuracy = 0;
};
/// What such lines say, in at most `points` equal stretches: for a plot. Throws Error, naming the line that
/// is not one of them.
std::vector<CurvePoint> training_curve(std::string_view lines, int64_t points);

class Telemetry {
 public:
  /// Appends to the file. Lines of steps from `next_step` on are taken off first: training that goes on from
  /// a checkpoint computes them again. Throws Error, naming the file, where that fails.
  Telemetry(std::string path, int64_t next_step);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  /// Throws Error with the system's reason.
  void write(const StepReport& report);

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace loupe
