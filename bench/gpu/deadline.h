// A program that stops by itself: what it could not begin in its time, it names.
#pragma once
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

namespace loupe::bench {

class Deadline {
 public:
  /// `seconds` after the program's start, or nearly so; 0: never.
  explicit Deadline(double seconds = 0) : seconds_(seconds) {}
  /// Whether there is time to begin `what`; if not, it is among those left out.
  bool allows(const std::string& what) {
    const std::chrono::duration<double> passed = Clock::now() - start_;
    if (seconds_ <= 0 || passed.count() < seconds_) return true;
    left_out_.push_back(what);
    return false;
  }
  bool cut() const { return !left_out_.empty(); }
  /// {"left_out": [names], "after_s": seconds}
  nlohmann::ordered_json row() const { return {{"left_out", left_out_}, {"after_s", seconds_}}; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  double seconds_;
  nlohmann::ordered_json left_out_ = nlohmann::ordered_json::array();
};

/// Of the option --seconds: a number above 0, or −1 for anything else.
inline double seconds_of(const std::string& word) {
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  return end != word.c_str() && !*end && value > 0 ? value : -1;
}

}  // namespace loupe::bench
