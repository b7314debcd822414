#include "tools/loupe/progress_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace loupe {

namespace {
// The first columns of the text, as many as the terminal has beside the cursor: a line that wraps could not
// be rewritten.
std::string that_fits(const std::string& text) {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return text;
  size_t end = 0, taken = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && ++taken >= size.ws_col) break;
  }
  return text.substr(0, end);
}
}  // namespace

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::show(const std::string& text) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - drawn_ < 100ms) return;
  drawn_ = now;
  shown_ = true;
  std::fprintf(stderr, "\r\033[K%s", that_fits(text).c_str());
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace loupe
