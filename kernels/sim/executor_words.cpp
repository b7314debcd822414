// How the simulator names places and threads, and ends a block that did wrong.
#include "kernels/sim/executor.h"
#include "kernels/sim/symbols.h"
#include "kernels/sim/words.h"

namespace loupe::sim {

void Executor::fail(const std::string& what, const void* pc) {
  fault_ = Fault{what, pc, current_};
  for (;;) threads_[current_].fiber.suspend();  // never resumed
}

std::string Executor::index_text(unsigned thread) const { return text(unravel(thread, launch_->block)); }

std::string Executor::at(const void* pc, std::optional<unsigned> thread) const {
  std::string where = function_name(launch_->kernel) + ", block " + text(unravel(block_, launch_->grid));
  if (thread) where += ", thread " + index_text(*thread);
  if (pc) where += ", " + line_of(pc).str();
  return where + ": ";
}

// "threads 0–31", "thread 5", "threads 0, 2, 4 and 29 more"
std::string Executor::names(const std::vector<unsigned>& threads) const {
  std::string list;
  size_t shown = 0, parts = 0;
  for (size_t i = 0; i < threads.size() && parts < 3; ++parts) {
    size_t end = i;
    while (end + 1 < threads.size() && threads[end + 1] == threads[end] + 1) ++end;
    list += (list.empty() ? "" : ", ") + std::to_string(threads[i]);
    if (end > i) list += "–" + std::to_string(threads[end]);
    shown += end - i + 1;
    i = end + 1;
  }
  if (shown < threads.size()) list += " and " + std::to_string(threads.size() - shown) + " more";
  return (threads.size() == 1 ? "thread " : "threads ") + list;
}

}  // namespace loupe::sim
