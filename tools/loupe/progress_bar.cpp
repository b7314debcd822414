#include "tools/loupe/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/loupe/text.h"

namespace loupe {

ProgressBar::ProgressBar() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressBar::begin(std::string what) {
  clear();
  what_ = std::move(what);
  began_ = drawn_ = Clock::now();
}

void ProgressBar::update(double part) {
  using namespace std::chrono_literals;
  const auto now = Clock::now();
  if (!terminal_ || now - began_ < 300ms || now - drawn_ < 100ms) return;
  drawn_ = now;
  shown_ = true;
  constexpr int kCells = 30;
  part = std::clamp(part, 0.0, 1.0);
  const int full = static_cast<int>(std::lround(part * kCells));
  std::string bar;
  for (int i = 0; i < kCells; ++i) bar += i < full ? "█" : "░";
  const double passed = std::chrono::duration<double>(now - began_).count();
  const std::string left = part > 0.02 ? short_seconds(passed * (1 - part) / part) + " left" : "";
  std::fprintf(stderr, "\r\033[K%s  %s %3.0f %%  %s", padded(what_, 28).c_str(), bar.c_str(), part * 100,
               left.c_str());
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace loupe
