// A progress bar on standard error, where that is a terminal.
#pragma once
#include <chrono>
#include <string>

namespace loupe {

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Begins a piece of work. Nothing shows until it has taken a while.
  void begin(std::string what);
  /// The part that is done, 0 to 1.
  void update(double part);
  /// Wipes the bar, for other output.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_, shown_ = false;
  std::string what_;
  Clock::time_point began_, drawn_;
};

}  // namespace loupe
