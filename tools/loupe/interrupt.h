// What Ctrl-C does to a command that has something to put in order first.
#pragma once
#include <csignal>
#include <map>

namespace loupe {

/// While one lives, SIGINT, SIGTERM and SIGHUP are noted instead of ending the program; a second one ends it.
class OnInterrupt {
 public:
  OnInterrupt();
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

  /// Whether one has come.
  static bool came();

 private:
  std::map<int, struct sigaction> before_;
};

}  // namespace loupe
