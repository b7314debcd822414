// The least cut of a graph whose edges have capacities: the work is Boost.Graph's (Boykov & Kolmogorov 2004, "An
// experimental comparison of min-cut/max-flow algorithms").
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace loupe {

/// Capacities are whole numbers, so that the cut is the least one to the last digit.
struct CutGraph {
  struct Edge {
    int64_t a, b;
    int64_t capacity;  // both ways
  };
  std::vector<int64_t> to_source, to_sink;  // of each node, ≥ 0
  std::vector<Edge> edges = {};
};

/// Which nodes lie on the source's side (1) of a least cut; where several are the least, the one whose source side is
/// the smallest. Throws Error where the build has no Boost.Graph.
std::vector<uint8_t> min_cut(const CutGraph& graph);

/// The library that cuts, for `loupe --version`, or that the build has none.
std::string min_cut_library();

}  // namespace loupe
