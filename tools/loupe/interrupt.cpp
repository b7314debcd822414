#include "tools/loupe/interrupt.h"

namespace loupe {
namespace {
volatile std::sig_atomic_t noted = 0;
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
}  // namespace

OnInterrupt::OnInterrupt() {
  noted = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { noted = 1; };
  action.sa_flags = SA_RESETHAND;
  for (const int s : kSignals) {
    ::sigaction(s, &action, &before_[s]);
    if (s == SIGHUP && before_[s].sa_handler == SIG_IGN) ::sigaction(s, &before_[s], nullptr);
  }
}

OnInterrupt::~OnInterrupt() {
  for (const auto& [s, action] : before_) ::sigaction(s, &action, nullptr);
}

bool OnInterrupt::came() { return noted != 0; }

}  // namespace loupe
