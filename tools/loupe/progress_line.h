// A line on standard error that long work rewrites as it goes, where that is a terminal.
#pragma once
#include <chrono>
#include <string>

namespace loupe {

class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Shows the text in place of the last one, at most ten times a second and as far as it fits the
  /// terminal. Nothing shows in a pipe.
  void show(const std::string& text);
  /// Wipes the line, for other output.
  void clear();

 private:
  bool terminal_, shown_ = false;
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace loupe
