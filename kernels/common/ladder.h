// A ladder: one kernel in several rungs from the plainest to nearly the best, each adding one idea, in
// kernels/<op>/ladder/<n>_<idea>.cu. The rungs take the same arguments as the op's own kernel, but parameters
// planar, never packed (Call::packing), and no epilogue. They are run by the same case table; `loupe trace
// <op> --rung n` counts their traffic, and README.md beside them tells the story.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "kernels/common/op.h"

namespace loupe {

struct Rung {
  std::string_view name;  // "3_shared_tiles", the file without .cu
  std::string_view idea;  // one line
  Kernel forward;
  Kernel vjp_input = nullptr;  // where the ladder has one (max_pool2d: unpooling)
};

struct Ladder {
  std::string_view op;
  std::vector<Rung> rungs;
};

/// Every ladder, in alphabetical order of its op. (Generated from the names of the files <op>.ladder.cpp;
/// each defines `<op>_ladder`.)
std::span<const Ladder* const> all_ladders();

}  // namespace loupe
