// Windows: a graph computed again where it can have changed.
//
// A square over a picture changes a window of every layer's maps, which grows by the kernels and shrinks by the
// strides. window_graph() makes of a graph another one, which computes the picture as it is once and then, for
// a batch of places, the window of each layer that a place can have changed, until that is the whole layer or
// little less; from there on it goes on as the graph does. A layer's windows lie in one array, so all have one
// size: the largest place's; the others reach into what did not change, and where they would leave the maps they
// are moved back.
//
// The bits are those of the whole computation: each cell is the same sum of the same numbers in the same order.
// What is computed in tiles of cells (Call::tile) has windows that begin and end where tiles do.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/plan/plan.h"

namespace loupe {

/// Rows [y, y + h) and columns [x, x + w) of an image.
struct Rect {
  int64_t y, x, h, w;
};

struct WindowGraph {
  Graph graph = {};  // begins with the nodes of the graph that it was made of, whose input stays the first
  NodeId windows = -1, places = -1;  // inputs: the changed pixels (N, C, size.h, size.w); what patches read
  NodeId result = -1;                // the value of `result` for each place, (N, …)
  Pair size{0};                      // of a window of the image
  std::vector<Pair> origins = {};    // of each place's window, its first row and column
  int64_t rows = 0;                  // of `places`, (N, rows, 4)
  std::vector<int32_t> table = {};   // every place's `places`, one after the other
  int64_t macs = 0, whole_macs = 0;  // multiply-accumulates for a place; of a whole pass
  int64_t layers = 0;                // ops that compute a window
};

/// For changes of these rectangles, none empty, of an input (1, C, H, W) that the graph takes as its only one.
/// Throws UsageError for a rectangle that leaves the image.
WindowGraph window_graph(const Graph& graph, const Shape& input, NodeId result, std::span<const Rect> rects,
                         Backend backend, const KernelOptions& kernels);

}  // namespace loupe
