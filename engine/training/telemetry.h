// Telemetry: a file of JSON lines, one a step, for plots and for whoever wonders later how a network came
// about.
#pragma once
#include <string>

#include "engine/training/trainer.h"

namespace loupe {

/// {"step":12,"loss":1.9,"accuracy":0.4,"rate":0.0002,"gradient_norm":…,"parameter_norm":…,
///  "update_ratio":{layer: …},"dead_relu":{layer: …},"images_per_second":…}; five significant digits.
std::string telemetry_line(const StepReport& report);

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
