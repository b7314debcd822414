// Cones: what single cells of a layer see of each node below it, and windows of those nodes' maps that hold it.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "engine/graph/graph.h"

namespace loupe {

/// Cells [begin, end) of one axis.
struct CellSpan {
  int64_t begin = 0, end = 0;
};

/// One axis of windows: every node of a stage has one of this size, whose first cell depends on the unit.
struct WindowAxis {
  std::map<NodeId, int64_t> sizes, strides;  // strides: cells of the bottom that a step of the node is
  std::vector<int64_t> origins;              // by the unit's place: first cell of the bottom's window
  int64_t origin(int64_t place, NodeId n) const {
    return origins[static_cast<size_t>(place)] / strides.at(n);
  }
};

class Cones {
 public:
  /// For an input (1, C, H, W) of the graph, which has one. Throws UsageError where a node between the input and the
  /// layer is no map, or sees all of another.
  Cones(const Graph& graph, const Shape& input, NodeId layer);

  NodeId input() const { return path_.front(); }
  /// Nodes between the input and the layer, both of them too, in the graph's order.
  const std::vector<NodeId>& path() const { return path_; }
  /// Of a node, for the input.
  const Shape& shape(NodeId n) const { return shapes_[static_cast<size_t>(n)]; }
  /// Rows (axis 0) or columns (axis 1) of node n that the layer's cell at `place` of that axis sees, within the maps.
  CellSpan span(int axis, int64_t place, NodeId n) const {
    return spans_[static_cast<size_t>(axis)][static_cast<size_t>(place)][static_cast<size_t>(n)];
  }
  /// Cells of the node's largest cone.
  int64_t area(NodeId n) const { return widest(0, n) * widest(1, n); }
  /// Nodes that everything from the input to the layer passes, from the layer down to the input.
  std::vector<NodeId> articulations() const;
  /// The smallest windows of the nodes from one articulation up to another that hold every cone, lie within the maps
  /// and show each cell as it is in the whole maps.
  WindowAxis window(int axis, NodeId top, NodeId bottom) const;

 private:
  int64_t widest(int axis, NodeId n) const;
  std::vector<CellSpan> cone(int axis, int64_t place, NodeId layer) const;
  bool fits(int axis, NodeId top, NodeId bottom, int64_t size, WindowAxis& window) const;

  const Graph& graph_;
  std::vector<NodeId> path_;
  std::vector<Shape> shapes_;
  std::vector<std::vector<CellSpan>> spans_[2];  // by axis, place and node
};

}  // namespace loupe
