#include "tools/loupe/scores.h"
namespace loupe {
std::string scores_plot(const Scores&) { return "<svg/>"; }
}  // namespace loupe
